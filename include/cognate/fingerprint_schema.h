/* A fingerprint's contents: dimensions and variables, the one list, as result_schema.h. */
#ifndef COGNATE_FINGERPRINT_SCHEMA_H
#define COGNATE_FINGERPRINT_SCHEMA_H

/* enumerator, group where its scale lies, name */
#define CG_PRINT_DIMENSION_LIST(X)                                                                           \
    X(CG_PRINT_NONE, "", "")                                                                                 \
    X(CG_PRINT_TEXT, "/", "text")                                                                            \
    X(CG_PRINT_FACT, "/", "fact")                                                                            \
    X(CG_PRINT_SIZE, "/", "size")                                                                            \
    X(CG_PRINT_FILE, "/checkpoint", "file")                                                                  \
    X(CG_PRINT_STORED, "/checkpoint", "stored")                                                              \
    X(CG_PRINT_AXIS, "/checkpoint", "axis")                                                                  \
    X(CG_PRINT_WAY, "/checkpoint", "way")                                                                    \
    X(CG_PRINT_BNB, "/checkpoint", "bnb")                                                                    \
    X(CG_PRINT_PADDED, "/checkpoint", "padding")                                                             \
    X(CG_PRINT_SLOT, "/slots", "slot")                                                                       \
    X(CG_PRINT_FEATURE, "/slots", "feature")                                                                 \
    X(CG_PRINT_ELEMENT, "/slots", "element")                                                                 \
    X(CG_PRINT_BLOCK, "/blocks", "block")                                                                    \
    X(CG_PRINT_UNIT, "/blocks", "unit")                                                                      \
    X(CG_PRINT_COLUMN, "/blocks", "column")                                                                  \
    X(CG_PRINT_PROBE, "/blocks", "probe")                                                                    \
    X(CG_PRINT_PRODUCT, "/blocks", "product")                                                                \
    X(CG_PRINT_PRODUCT_COLUMN, "/blocks", "product_column")                                                  \
    X(CG_PRINT_EXACT_ROW, "/blocks", "exact_row")                                                            \
    X(CG_PRINT_EXACT_COLUMN, "/blocks", "exact_column")                                                      \
    X(CG_PRINT_ENTRY, "/tokens", "entry")                                                                    \
    X(CG_PRINT_BYTE, "/tokens", "byte")                                                                      \
    X(CG_PRINT_SAMPLE, "/tokens", "sample")                                                                  \
    X(CG_PRINT_SAMPLE_COLUMN, "/tokens", "sample_column")                                                    \
    X(CG_PRINT_GRAM, "/tokens", "gram")                                                                      \
    X(CG_PRINT_GRAM_COLUMN, "/tokens", "gram_column")

#define CG_PRINT_ROOT(V)                                                                                     \
    V(text, TEXT, TEXT, NONE, NONE, "1", "what a text is")                                                   \
    V(text_value, TEXT, TEXT, NONE, NONE, "1", "texts that describe the model")                              \
    V(fact, TEXT, FACT, NONE, NONE, "1", "name of a fact of the architecture")                               \
    V(fact_value, INT64, FACT, NONE, NONE, "1",                                                              \
      "the fact, completed from the shapes of tensors; -1 unknown")                                          \
    V(fact_given, INT64, FACT, NONE, NONE, "1", "the fact as config.json has it; -1 where it does not say")  \
    V(size, TEXT, SIZE, NONE, NONE, "1", "what a number is")                                                 \
    V(size_value, INT64, SIZE, NONE, NONE, "1",                                                              \
      "how much of everything was sampled, and flags of config.json")

#define CG_PRINT_CHECKPOINT(V)                                                                               \
    V(file_path, TEXT, FILE, NONE, NONE, "1", "path of a file of the checkpoint")                            \
    V(file_bytes, INT64, FILE, NONE, NONE, "byte", "its length")                                             \
    V(name, TEXT, STORED, NONE, NONE, "1", "name of the stored tensor")                                      \
    V(dtype, TEXT, STORED, NONE, NONE, "1", "stored type")                                                   \
    V(axes, INT32, STORED, NONE, NONE, "1", "number of its axes")                                            \
    V(shape, INT64, STORED, AXIS, NONE, "1", "its shape, -1 beyond its axes")                                \
    V(strided, BOOL, STORED, NONE, NONE, "1", "its elements do not lie row by row")                          \
    V(stride, INT64, STORED, AXIS, NONE, "1", "elements between neighbours where it is strided")             \
    V(tensor_file, INT32, STORED, NONE, NONE, "1", "index of the file that holds it")                        \
    V(offset, INT64, STORED, NONE, NONE, "byte", "where it begins there")                                    \
    V(bytes, INT64, STORED, NONE, NONE, "byte", "how long it is")                                            \
    V(way_bits, INT64, WAY, NONE, NONE, "bit", "bits of a way of quantising that config.json names")         \
    V(way_group, INT64, WAY, NONE, NONE, "1", "its group size")                                              \
    V(way_rows, INT64, WAY, NONE, NONE, "1", "rows of its blocks")                                           \
    V(way_columns, INT64, WAY, NONE, NONE, "1", "columns of its blocks")                                     \
    V(bnb_tensor, INT32, BNB, NONE, NONE, "1", "index of a tensor that bitsandbytes quantised to 4 bits")    \
    V(bnb_nf4, BOOL, BNB, NONE, NONE, "1", "to nf4, otherwise to fp4")                                       \
    V(bnb_rows, INT64, BNB, NONE, NONE, "1", "its rows")                                                     \
    V(bnb_columns, INT64, BNB, NONE, NONE, "1", "its columns")                                               \
    V(bnb_block, INT64, BNB, NONE, NONE, "1", "elements that share a scale")                                 \
    V(bnb_nested_block, INT64, BNB, NONE, NONE, "1", "scales that share a scale, 0: none do")                \
    V(bnb_offset, FLOAT64, BNB, NONE, NONE, "1", "what is added to nested scales")                           \
    V(padded, INT32, PADDED, NONE, NONE, "1", "tensors of packed codes whose rows end within a word")

#define CG_PRINT_SLOTS(V)                                                                                    \
    V(name, TEXT, SLOT, NONE, NONE, "1", "canonical name of the slot")                                       \
    V(role, TEXT, SLOT, NONE, NONE, "1", "role of the slot")                                                 \
    V(layer, INT32, SLOT, NONE, NONE, "1", "layer, -1 where none")                                           \
    V(expert, INT32, SLOT, NONE, NONE, "1", "expert, -1 where none")                                         \
    V(rows, INT64, SLOT, NONE, NONE, "1", "rows of the canonical (out, in) matrix")                          \
    V(columns, INT64, SLOT, NONE, NONE, "1", "columns of the canonical (out, in) matrix")                    \
    V(tensor, INT32, SLOT, NONE, NONE, "1", "index of the stored tensor that it is, or is a part of")        \
    V(sha256, TEXT, SLOT, NONE, NONE, "1", "SHA-256 of the elements as stored, in canonical order")          \
    V(values_hash, TEXT, SLOT, NONE, NONE, "1",                                                              \
      "hash of the decoded values, whatever type holds them; \"\" where they have none")                     \
    V(elements, INT64, SLOT, NONE, NONE, "1", "decoded elements, 0 where values are unknown")                \
    V(nonfinite, INT64, SLOT, NONE, NONE, "1", "of these, NaN or infinite")                                  \
    V(sum, FLOAT64, SLOT, NONE, NONE, "1", "sum of the finite elements")                                     \
    V(squares, FLOAT64, SLOT, NONE, NONE, "1", "sum of their squares")                                       \
    V(minimum, FLOAT64, SLOT, NONE, NONE, "1", "the least of them")                                          \
    V(maximum, FLOAT64, SLOT, NONE, NONE, "1", "the largest of them")                                        \
    V(rounding, FLOAT64, SLOT, NONE, NONE, "1",                                                              \
      "sum of the squared errors that rounding to a quantised type explains")                                \
    V(sketch, FLOAT32, SLOT, FEATURE, NONE, "1",                                                             \
      "sums of the elements by index modulo its length, each under a seeded sign")                           \
    V(panel_first, INT64, SLOT, NONE, NONE, "1", "where the slot's panel begins, -1 where it has none")      \
    V(panel_scale, FLOAT32, SLOT, NONE, NONE, "1", "what the panel's numbers are multiplied with")           \
    V(panel, INT16, ELEMENT, NONE, NONE, "1", "panels of the shift null: lines by residual axis")

#define CG_PRINT_BLOCKS(V)                                                                                   \
    V(layer, INT32, BLOCK, NONE, NONE, "1", "layer of a feed-forward block that is sampled")                 \
    V(expert, INT32, BLOCK, NONE, NONE, "1", "its expert, -1 for a dense or a shared block")                 \
    V(shared, BOOL, BLOCK, NONE, NONE, "1", "it is a shared expert")                                         \
    V(units, INT32, BLOCK, NONE, NONE, "1", "units of its signatures")                                       \
    V(raw, INT16, UNIT, COLUMN, NONE, "1",                                                                   \
      "of each block its units' rows of gate, then of up, the norm's gain multiplied in, sampled columns, "  \
      "centred")                                                                                             \
    V(raw_scale, FLOAT32, UNIT, NONE, NONE, "1", "what a row's numbers are multiplied with")                 \
    V(probes, INT16, UNIT, PROBE, NONE, "1",                                                                 \
      "the units' answers to the first of the sampled tokens, centred")                                      \
    V(probes_scale, FLOAT32, UNIT, NONE, NONE, "1", "what a row's numbers are multiplied with")              \
    V(products, INT16, PRODUCT, PRODUCT_COLUMN, NONE, "1",                                                   \
      "of each block the products of sampled rows of gate and of up, centred")                               \
    V(products_scale, FLOAT32, PRODUCT, NONE, NONE, "1", "what a row's numbers are multiplied with")         \
    V(exact, INT16, EXACT_ROW, EXACT_COLUMN, NONE, "1",                                                      \
      "of each block sampled rows of gate, then of up, for the exact test")                                  \
    V(exact_scale, FLOAT32, EXACT_ROW, NONE, NONE, "1", "what a row's numbers are multiplied with")

#define CG_PRINT_TOKENS(V)                                                                                   \
    V(id, INT64, ENTRY, NONE, NONE, "1", "number of a token")                                                \
    V(first, INT64, ENTRY, NONE, NONE, "byte", "where its bytes begin in bytes")                             \
    V(length, INT64, ENTRY, NONE, NONE, "byte", "how many they are")                                         \
    V(special, BOOL, ENTRY, NONE, NONE, "1", "it is a special token")                                        \
    V(names_byte, BOOL, ENTRY, NONE, NONE, "1", "it names a byte by its number")                             \
    V(bytes, UINT8, BYTE, NONE, NONE, "1", "the bytes of all tokens")                                        \
    V(sample_id, INT64, SAMPLE, NONE, NONE, "1",                                                             \
      "tokens whose embeddings are kept: those whose bytes have the smallest seeded hashes, in that order")  \
    V(row, INT16, SAMPLE, SAMPLE_COLUMN, NONE, "1", "sampled columns of their rows of the input embedding")  \
    V(row_scale, FLOAT32, SAMPLE, NONE, NONE, "1", "what a row's numbers are multiplied with")               \
    V(gram, INT16, GRAM, GRAM_COLUMN, NONE, "1",                                                             \
      "products of the first rows, whole, after their mean row is taken away")                               \
    V(gram_scale, FLOAT32, GRAM, NONE, NONE, "1", "what a row's numbers are multiplied with")

#endif
