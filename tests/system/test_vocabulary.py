"""Vocabularies as their own libraries write them: one set of tokens in two formats under other ids.

A token is (raw bytes, special, names a byte), as the library that made it tells; the list's order is that of the ids.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import checkpoints
import oracle
from checkpoints import bf16

TEXT = [line for module in (checkpoints, oracle) for line in Path(module.__file__).read_text().splitlines()]
LETTERS = {byte: letter for letter, byte in oracle.byte_map().items()}
SPACE = "\u2581"


def byte_level():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    back = oracle.byte_map()
    return tokenizer, listed(tokenizer, lambda text: bytes(back[letter] for letter in text))


def words():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        TEXT, trainers.WordPieceTrainer(vocab_size=500, special_tokens=names, show_progress=False)
    )
    return tokenizer, listed(tokenizer, lambda text: (text[2:] if text.startswith("##") else " " + text).encode())


def listed(tokenizer, raw):
    """A library's tokens by id."""
    special = {added.content for added in tokenizer.get_added_tokens_decoder().values() if added.special}
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    assert [number for _, number in vocabulary] == list(range(len(vocabulary)))
    return [(text.encode() if text in special else raw(text), text in special, False) for text, _ in vocabulary]


def pieces():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=model,
        vocab_size=600,
        model_type="bpe",
        byte_fallback=True,
        user_defined_symbols=["<|user|>", SPACE * 2],
        minloglevel=2,
    )
    processor, tokens = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), []
    for number in range(processor.get_piece_size()):
        piece = processor.id_to_piece(number)
        if processor.is_byte(number):
            tokens.append((bytes([int(piece[3:5], 16)]), False, True))
        elif processor.is_control(number) or processor.is_unknown(number):
            tokens.append((piece.encode(), True, False))
        else:
            tokens.append((piece.replace(SPACE, " ").encode(), False, False))
    return model.getvalue(), tokens


# -- writers: a folder, tokens by id -> the name of the file that inspect must name -------------------------------------


def spell_letters(raw):
    return "".join(LETTERS[byte] for byte in raw)


def spell_word(raw):
    return raw[1:].decode() if raw.startswith(b" ") else "##" + raw.decode()


def spell_piece(raw):
    return raw.decode().replace(" ", SPACE)


def spelled(tokens, spell):
    """{text: id} of all tokens."""
    texts = [
        raw.decode() if special else f"<0x{raw[0]:02X}>" if byte else spell(raw) for raw, special, byte in tokens
    ]
    assert len(set(texts)) == len(texts)
    return {text: number for number, text in enumerate(texts)}


def specials(tokens):
    return [raw.decode() for raw, special, _ in tokens if special]


def add_decoder(folder, tokens):
    decoder = {str(n): dict(content=raw.decode(), special=True) for n, (raw, special, _) in enumerate(tokens) if special}
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(added_tokens_decoder=decoder)))


def save(folder, tokenizer, tokens):
    tokenizer.add_special_tokens(specials(tokens))
    tokenizer.save(str(folder / "tokenizer.json"))
    return "tokenizer.json"


def write_byte_level(folder, tokens):
    tokenizer = Tokenizer(models.BPE(vocab=spelled(tokens, spell_letters), merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    return save(folder, tokenizer, tokens)


def write_words(folder, tokens):
    return save(folder, Tokenizer(models.WordPiece(spelled(tokens, spell_word), unk_token="[UNK]")), tokens)


def write_pieces(folder, tokens):
    vocabulary = spelled(tokens, spell_piece)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback()])
    return save(folder, tokenizer, tokens)


def write_vocab_json(folder, tokens):
    (folder / "vocab.json").write_text(json.dumps(spelled(tokens, spell_letters)))
    add_decoder(folder, tokens)
    return "vocab.json"


def write_vocab_json_of_pieces(folder, tokens):
    (folder / "vocab.json").write_text(json.dumps(spelled(tokens, spell_piece), ensure_ascii=False))
    return "vocab.json"  # <unk>, <s> and </s> are special by default


def write_vocab_txt(folder, tokens):
    (folder / "vocab.txt").write_text("".join(text + "\n" for text in spelled(tokens, spell_word)))
    return "vocab.txt"


def write_tiktoken(name):
    def write(folder, tokens):
        lines = [(base64.b64encode(raw), n) for n, (raw, special, _) in enumerate(tokens) if not special]
        (folder / name).write_bytes(b"".join(b"%b %d\n" % line for line in lines))
        add_decoder(folder, tokens)
        return name

    return write


def saved_by_library(made, tokens):
    """The files that the library itself writes for its model."""

    def write(folder, given):
        assert given == tokens
        if isinstance(made, bytes):
            (folder / "tokenizer.model").write_bytes(made)
            return "tokenizer.model"
        made.model.save(str(folder))
        (folder / "special_tokens_map.json").write_text(json.dumps(dict(additional_special_tokens=specials(tokens))))
        return "vocab.txt" if (folder / "vocab.txt").exists() else "vocab.json"

    return write


# -- alignment --------------------------------------------------------------------------------------------------------


def align(a, b):
    """[(id in a, id in b)], ascending in b's: like with like first, in the order of ids."""
    ids, pairs = ({}, {}), []
    for of, tokens in zip(ids, (a, b)):
        for number, (raw, special, byte) in enumerate(tokens):
            of.setdefault((raw, special), ([], []))[byte].append(number)
    for key in ids[0].keys() & ids[1].keys():
        of_a, of_b = ids[0][key], ids[1][key]
        found = [*zip(of_a[0], of_b[0]), *zip(of_a[1], of_b[1])]
        left_a = [n for n in of_a[0] + of_a[1] if n not in [x for x, _ in found]]
        left_b = [n for n in of_b[0] + of_b[1] if n not in [y for _, y in found]]
        pairs += [*found, *zip(left_a, left_b)]
    return np.array(sorted(pairs, key=lambda pair: pair[1]), dtype=np.int64).reshape(-1, 2)


def one_each(tokens):
    """Each token's bytes once, those of text before those of a byte's name."""
    return sorted({(raw, special, False) for raw, special, _ in tokens})


SETS = {"byte-level": byte_level, "words": words, "pieces": pieces}
LIBRARY = None  # stands for saved_by_library

# a set of tokens, the writers of both sides, whether the second side has each token's bytes only once
CASES = [
    ("byte-level", write_byte_level, write_tiktoken("tokenizer.model"), False),
    ("byte-level", write_byte_level, write_vocab_json, False),
    ("byte-level", LIBRARY, write_tiktoken("qwen.tiktoken"), False),
    ("byte-level", LIBRARY, write_byte_level, False),
    ("words", LIBRARY, write_words, False),
    ("words", write_words, write_vocab_txt, False),
    ("pieces", LIBRARY, write_pieces, False),
    ("pieces", LIBRARY, write_vocab_json_of_pieces, False),
    ("pieces", LIBRARY, write_vocab_json, True),
    ("pieces", LIBRARY, write_tiktoken("tiktoken.model"), True),
]


@pytest.fixture(scope="module")
def made():
    return {name: make() for name, make in SETS.items()}


def make_pair(rng, tmp_path, tokens_a, tokens_b, ids):
    """Two models: b's row is a's for the tokens they share but for every tenth. Returns folders and embeddings."""
    a = checkpoints.llama(rng, layers=1, vocabulary=len(tokens_a) + 3)
    b = checkpoints.llama(rng, layers=1, vocabulary=len(tokens_b) + 5)
    tables = [model["model.embed_tokens.weight"].values for model in (a, b)]
    same = ids[np.arange(len(ids)) % 10 != 9]
    tables[1][same[:, 1]] = tables[0][same[:, 0]]
    b["model.embed_tokens.weight"] = bf16(tables[1])
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, model in zip(folders, (a, b)):
        checkpoints.make(folder, model, checkpoints.llama_config(model))
    return folders, tables


@pytest.mark.parametrize("case", range(len(CASES)))
def test_two_formats_of_the_same_tokens(cognate, tmp_path, made, case):
    kind, write_a, write_b, once = CASES[case]
    library, tokens_a = made[kind]
    rng = np.random.default_rng(case)
    tokens_b = one_each(tokens_a) if once else list(tokens_a)
    tokens_b = [tokens_b[i] for i in rng.permutation(len(tokens_b))]
    ids = align(tokens_a, tokens_b)
    assert len(ids) == len(tokens_b)  # fully
    folders, tables = make_pair(rng, tmp_path, tokens_a, tokens_b, ids)
    names = [(write_a or saved_by_library(library, tokens_a))(folders[0], tokens_a), write_b(folders[1], tokens_b)]

    done = cognate.run("inspect", "--json", *folders)
    assert [model["vocabulary"] for model in json.loads(done.stdout)] == names

    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", *folders)
    found = result["embeddings"]
    assert found["shared_tokens"][0] == len(ids)
    assert found["same_id_tokens"][0] == (ids[:, 0] == ids[:, 1]).sum()
    assert np.array_equal(np.stack([found["token_id_a"], found["token_id_b"]], 1), ids)
    expected = oracle.embedding(tables[0][ids[:, 0]], tables[1][ids[:, 1]])
    assert np.allclose(found["token_cosine"], expected["token_cosine"], rtol=0, atol=1e-12)
    same = np.arange(len(ids)) % 10 != 9
    assert np.allclose(found["token_cosine"][same], 1, rtol=0, atol=1e-12)
    assert np.abs(found["token_cosine"][~same]).max() < 0.9
    assert result["run"]["status"] == "complete"


# -- what is no use -----------------------------------------------------------------------------------------------------


def cut(data):
    return data[: len(data) // 2 - 1]  # within a piece


@pytest.mark.parametrize(
    "name, spoil, words_for_it",
    [
        ("tokenizer.model", cut, "broken as a SentencePiece model (at byte"),
        ("tokenizer.model", lambda data: b"", "without pieces"),
        ("tokenizer.model", lambda data: b"\x0a\xff\xff\xff\xff\x7f" + data, "broken as a SentencePiece model (at byte 0)"),
        ("x.tiktoken", lambda data: data, "holds no token as tiktoken has them"),
        ("vocab.json", lambda data: b'{"a": ', "invalid JSON"),
        ("vocab.txt", lambda data: b"\n" * 10**7, "more than 4194304 tokens"),
    ],
)
def test_a_broken_vocabulary_costs_the_tokens_only(cognate, tmp_path, made, name, spoil, words_for_it):
    data, tokens = made["pieces"]
    folders, _ = make_pair(np.random.default_rng(1), tmp_path, tokens, tokens, align(tokens, tokens))
    (folders[0] / "tokenizer.model").write_bytes(data)
    (folders[1] / name).write_bytes(spoil(data))
    done = cognate.run("compare", "--pca", "none", "-o", tmp_path / "r.h5", *folders)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert words_for_it in said and said.count("no token is compared") == 1
