/* SHA-256 of several members side by side, against FIPS 180-4's examples and libcrypto's one-shot function.
 */
#include "noise.h"
#include "sweep/digest.h"
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MEMBERS = 5, MOST = 70000 };

static uint8_t bytes[MEMBERS][MOST];

static int fill_bytes(void **state)
{
    (void)state;
    uint64_t seed = 4242;
    for (int m = 0; m < MEMBERS; m++)
        for (size_t i = 0; i < MOST; i++)
            bytes[m][i] = (uint8_t)(noise_bits(&seed) >> 56);
    return 0;
}

/* Every test runs on both implementations: `*state` says whether the native one. */
static struct cg_digests *create(size_t n, void **state)
{
    struct cg_err err = {0};
    const bool *native = *state;
    struct cg_digests *digests = cg_digests_create(n, *native, &err);
    assert_non_null(digests);
    return digests;
}

static void begin(struct cg_digests *digests, size_t n)
{
    struct cg_err err = {0};
    assert_int_equal(cg_digests_begin(digests, n, &err), 0);
}

static void update(struct cg_digests *digests, size_t n, const uint8_t *const *data, const size_t *sizes)
{
    struct cg_err err = {0};
    assert_int_equal(cg_digests_update(digests, n, data, sizes, &err), 0);
}

/* Ends and compares with the one-shot digests of sizes[m] bytes of each member. */
static void end(struct cg_digests *digests, size_t n, const size_t *sizes)
{
    struct cg_err err = {0};
    uint8_t out[MEMBERS + 1][32], wanted[32];
    memset(out, 0xA5, sizeof out);
    assert_int_equal(cg_digests_end(digests, n, out, &err), 0);
    for (size_t m = 0; m < n; m++) {
        assert_int_equal(EVP_Digest(bytes[m], sizes[m], wanted, NULL, EVP_sha256(), NULL), 1);
        assert_memory_equal(out[m], wanted, 32);
    }
    for (int i = 0; i < 32; i++) /* nothing beyond */
        assert_int_equal(out[n][i], 0xA5);
}

static void known_vectors(void **state)
{
    static const struct {
        const char *text;
        int times;
        const char *digest;
    } cases[] = {
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
         "mnopqrstnopqrstu",
         1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"aaaaaaaaaa", 100000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    struct cg_digests *digests = create(2, state);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        uint8_t out[2][32];
        struct cg_err err = {0};
        const uint8_t *const data[2] = {(const uint8_t *)cases[c].text, (const uint8_t *)"x"};
        size_t sizes[2] = {strlen(cases[c].text), 1};
        begin(digests, 2);
        for (int i = 0; i < cases[c].times; i++)
            update(digests, 2, data, sizes);
        assert_int_equal(cg_digests_end(digests, 2, out, &err), 0);
        for (int i = 0; i < 32; i++) {
            char hex[3];
            snprintf(hex, sizeof hex, "%02x", out[0][i]);
            assert_memory_equal(hex, cases[c].digest + 2 * i, 2);
        }
    }
    cg_digests_destroy(digests);
}

/* All lengths about the first blocks, one to five members, of equal lengths and of unequal. */
static void all_lengths(void **state)
{
    struct cg_digests *digests = create(MEMBERS, state);
    for (size_t length = 0; length <= 300; length++)
        for (size_t n = 1; n <= MEMBERS; n++)
            for (size_t unequal = 0; unequal < 3; unequal++) {
                const uint8_t *data[MEMBERS];
                size_t sizes[MEMBERS];
                for (size_t m = 0; m < n; m++) {
                    data[m] = bytes[m];
                    sizes[m] = unequal == 0   ? length
                               : unequal == 1 ? length + 61 * m
                                              : (length + 17 * m) % 301;
                }
                begin(digests, n);
                update(digests, n, data, sizes);
                end(digests, n, sizes);
            }
    cg_digests_destroy(digests);
}

/* A message cut in two, at every place, at another one in every member, off the word boundary. */
static void all_splits(void **state)
{
    static const size_t totals[] = {1, 55, 56, 63, 64, 65, 119, 120, 128, 129, 200, 300};
    struct cg_digests *digests = create(3, state);
    for (size_t t = 0; t < sizeof totals / sizeof *totals; t++)
        for (size_t cut = 0; cut <= totals[t]; cut++) {
            size_t whole[3] = {totals[t], totals[t], totals[t]};
            size_t first[3] = {cut, totals[t] - cut, cut / 2}, rest[3];
            const uint8_t *data[3] = {bytes[0], bytes[1], bytes[2]}, *next[3];
            for (int m = 0; m < 3; m++) {
                rest[m] = whole[m] - first[m];
                next[m] = bytes[m] + first[m];
            }
            begin(digests, 3);
            update(digests, 3, data, first);
            update(digests, 3, next, rest);
            end(digests, 3, whole);
        }
    cg_digests_destroy(digests);
}

/* Many updates of every size up to a few blocks, now and then of nothing. */
static void many_updates(void **state)
{
    uint64_t seed = 6;
    static const size_t widest[] = {2, 63, 64, 65, 130, 1000, 20000};
    struct cg_digests *digests = create(MEMBERS, state);
    for (size_t w = 0; w < sizeof widest / sizeof *widest; w++)
        for (size_t n = 1; n <= MEMBERS; n++) {
            size_t taken[MEMBERS] = {0}, sizes[MEMBERS];
            const uint8_t *data[MEMBERS];
            begin(digests, n);
            for (int k = 0; k < 300; k++) {
                for (size_t m = 0; m < n; m++) {
                    sizes[m] = noise_bits(&seed) % widest[w] + 1;
                    if (k % 3 == 0) /* like the sweep: all the same */
                        sizes[m] = sizes[0];
                    if (k % 7 == 1 || taken[m] + sizes[m] > MOST)
                        sizes[m] = 0;
                    data[m] = bytes[m] + taken[m];
                    taken[m] += sizes[m];
                }
                update(digests, n, data, sizes);
            }
            end(digests, n, taken);
        }
    cg_digests_destroy(digests);
}

/* Begun anew, nothing is left of what was before, ended or not; fewer members than there is room for. */
static void used_again(void **state)
{
    struct cg_digests *digests = create(MEMBERS, state);
    for (size_t n = MEMBERS; n > 0; n--)
        for (size_t before = 0; before < 130; before += 43) {
            const uint8_t *data[MEMBERS];
            size_t sizes[MEMBERS], whole[MEMBERS];
            for (size_t m = 0; m < n; m++) {
                data[m] = bytes[m];
                sizes[m] = before + m;
                whole[m] = 100 * m;
            }
            begin(digests, n);
            update(digests, n, data, sizes);
            begin(digests, n);
            update(digests, n, data, whole);
            end(digests, n, whole);
        }
    cg_digests_destroy(digests);
    cg_digests_destroy(NULL);
}

int main(void)
{
    static bool native[] = {true, false};
#define ON_BOTH(test)                                                                                        \
    {#test " natively", test, NULL, NULL, &native[0]},                                                       \
    {                                                                                                        \
#test " by libcrypto", test, NULL, NULL, &native[1]                                                  \
    }
    const struct CMUnitTest tests[] = {
        ON_BOTH(known_vectors), ON_BOTH(all_lengths), ON_BOTH(all_splits),
        ON_BOTH(many_updates),  ON_BOTH(used_again),
    };
    return cmocka_run_group_tests(tests, fill_bytes, NULL);
}
