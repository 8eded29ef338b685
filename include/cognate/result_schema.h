/* The result file's contents: dimensions and variables, the one list.
 * A variable: name, type, up to three dimensions (NONE fills up), units, long_name. */
#ifndef COGNATE_RESULT_SCHEMA_H
#define COGNATE_RESULT_SCHEMA_H

/* enumerator, group where its scale lies, name */
#define CG_DIMENSION_LIST(X)                                                                                 \
    X(CG_DIM_NONE, "", "")                                                                                   \
    X(CG_DIM_MODEL, "/", "model")                                                                            \
    X(CG_DIM_PAIR, "/", "pair")                                                                              \
    X(CG_DIM_SKIPPED, "/", "skipped")                                                                        \
    X(CG_DIM_TENSOR, "/tensors", "tensor")                                                                   \
    X(CG_DIM_LAYER_A, "/layers", "layer_a")                                                                  \
    X(CG_DIM_LAYER_B, "/layers", "layer_b")                                                                  \
    X(CG_DIM_ROLE_GROUP, "/layers", "role_group")                                                            \
    X(CG_DIM_EXPERT_MATCH, "/experts", "expert_match")                                                       \
    X(CG_DIM_CELL, "/cells", "cell")                                                                         \
    X(CG_DIM_MERGE_ROW, "/merges", "merge_row")                                                              \
    X(CG_DIM_IDENTITY, "/identities", "identity")                                                            \
    X(CG_DIM_TOKEN, "/embeddings", "token")                                                                  \
    X(CG_DIM_SAMPLE, "/pca", "sample")                                                                       \
    X(CG_DIM_COMPONENT, "/pca", "component")                                                                 \
    X(CG_DIM_FEATURE, "/pca", "feature")

#define CG_ROOT_VARIABLES(V)                                                                                 \
    V(model_label, TEXT, MODEL, NONE, NONE, "1", "label of the model")                                       \
    V(model_path, TEXT, MODEL, NONE, NONE, "1", "path of the model as given")                                \
    V(model_family, TEXT, MODEL, NONE, NONE, "1", "family of the model, from the manifest")                  \
    V(model_type, TEXT, MODEL, NONE, NONE, "1", "model_type of config.json")                                 \
    V(hidden_size, INT64, MODEL, NONE, NONE, "1", "width of the residual stream")                            \
    V(intermediate_size, INT64, MODEL, NONE, NONE, "1", "hidden units of a dense feed-forward block")        \
    V(moe_intermediate_size, INT64, MODEL, NONE, NONE, "1", "hidden units of an expert")                     \
    V(num_hidden_layers, INT64, MODEL, NONE, NONE, "1", "layers")                                            \
    V(num_attention_heads, INT64, MODEL, NONE, NONE, "1", "attention heads")                                 \
    V(num_key_value_heads, INT64, MODEL, NONE, NONE, "1", "key-value heads")                                 \
    V(num_experts, INT64, MODEL, NONE, NONE, "1", "routed experts a layer")                                  \
    V(num_experts_per_tok, INT64, MODEL, NONE, NONE, "1", "routed experts that serve a token")               \
    V(num_shared_experts, INT64, MODEL, NONE, NONE, "1", "shared experts a layer")                           \
    V(vocab_size, INT64, MODEL, NONE, NONE, "1", "rows of the embedding")                                    \
    V(parameters, INT64, MODEL, NONE, NONE, "1", "elements of all tensors, decoded")                         \
    V(num_tensors, INT64, MODEL, NONE, NONE, "1", "stored tensors")                                          \
    V(stored_bytes, INT64, MODEL, NONE, NONE, "byte", "bytes of all stored tensors")                         \
    V(pair_a, INT32, PAIR, NONE, NONE, "1", "index of the base or earlier model")                            \
    V(pair_b, INT32, PAIR, NONE, NONE, "1", "index of the target or later model")                            \
    V(same_architecture, BOOL, PAIR, NONE, NONE, "1",                                                        \
      "hidden_size, layers, heads, key-value heads, experts and vocab_size are all equal")                   \
    V(compared_tensors, INT64, PAIR, NONE, NONE, "1", "slots in which both members have one shape")          \
    V(identical_tensors, INT64, PAIR, NONE, NONE, "1", "compared slots of the same type and SHA-256")        \
    V(constant_tensors, INT64, PAIR, NONE, NONE, "1",                                                        \
      "identical slots that hold one value throughout and prove nothing")                                    \
    V(moved_tensors, INT64, PAIR, NONE, NONE, "1",                                                           \
      "slots of b that hold the very bytes of another slot of a")                                            \
    V(comparable_fraction, FLOAT64, PAIR, NONE, NONE, "1",                                                   \
      "share of b's parameters in slots where a has the same shape")                                         \
    V(mean_cosine, FLOAT64, PAIR, NONE, NONE, "1", "plain mean of cosine over compared slots")               \
    V(weighted_cosine, FLOAT64, PAIR, NONE, NONE, "1", "mean of cosine weighted by elements")                \
    V(matrix_cosine, FLOAT64, PAIR, NONE, NONE, "1",                                                         \
      "plain mean of cosine over slots with two axes of more than one element")                              \
    V(rounding_ratio, FLOAT64, PAIR, NONE, NONE, "1",                                                        \
      "norm of b - a over what rounding explains of it, in slots that one of the two has quantised")         \
    V(band, TEXT, PAIR, NONE, NONE, "1", "what the plain method would read from mean_cosine")                \
    V(layer_pattern, TEXT, PAIR, NONE, NONE, "1", "how the cosine runs over depth")                          \
    V(verdict, TEXT, PAIR, NONE, NONE, "1", "IDENTICAL, DERIVED, PARTIAL, NO EVIDENCE or INCONCLUSIVE")      \
    V(relation, TEXT, PAIR, NONE, NONE, "1", "how b relates to a")                                           \
    V(log10_p, FLOAT64, PAIR, NONE, NONE, "1",                                                               \
      "decimal logarithm of the p-value of the strongest test of any kind, corrected for all of its kind")   \
    V(detection_limit, FLOAT64, PAIR, NONE, NONE, "1",                                                       \
      "smallest cosine of related matrices that the tests of this run would have seen")                      \
    V(rank, INT32, PAIR, NONE, NONE, "1", "place of b in a search, 1 the nearest; -1 in other results")      \
    V(reasons, TEXT, PAIR, NONE, NONE, "1", "why the verdict is what it is")                                 \
    V(skipped_label, TEXT, SKIPPED, NONE, NONE, "1", "label of a broken model that was left out")            \
    V(skipped_path, TEXT, SKIPPED, NONE, NONE, "1", "its path as given")                                     \
    V(skipped_error, TEXT, SKIPPED, NONE, NONE, "1", "what is wrong with it")

#define CG_TENSORS_VARIABLES(V)                                                                              \
    V(name, TEXT, TENSOR, NONE, NONE, "1", "canonical name of the slot")                                     \
    V(role, TEXT, TENSOR, NONE, NONE, "1", "role of the slot")                                               \
    V(layer, INT32, TENSOR, NONE, NONE, "1", "layer, -1 where none")                                         \
    V(expert, INT32, TENSOR, NONE, NONE, "1", "expert, -1 where none")                                       \
    V(rows, INT64, TENSOR, MODEL, NONE, "1", "rows of the canonical (out, in) matrix")                       \
    V(columns, INT64, TENSOR, MODEL, NONE, "1", "columns of the canonical (out, in) matrix")                 \
    V(present, BOOL, TENSOR, MODEL, NONE, "1", "the model fills the slot")                                   \
    V(source_name, TEXT, TENSOR, MODEL, NONE, "1", "name of the stored tensor")                              \
    V(dtype, TEXT, TENSOR, MODEL, NONE, "1", "stored type")                                                  \
    V(sha256, TEXT, TENSOR, MODEL, NONE, "1", "SHA-256 of the stored elements in canonical order")           \
    V(l2norm, FLOAT64, TENSOR, MODEL, NONE, "1", "Euclidean norm of the finite elements")                    \
    V(mean, FLOAT64, TENSOR, MODEL, NONE, "1", "mean of the finite elements")                                \
    V(std, FLOAT64, TENSOR, MODEL, NONE, "1", "standard deviation of the finite elements (N)")               \
    V(minimum, FLOAT64, TENSOR, MODEL, NONE, "1", "smallest finite element")                                 \
    V(maximum, FLOAT64, TENSOR, MODEL, NONE, "1", "largest finite element")                                  \
    V(nonfinite, INT64, TENSOR, MODEL, NONE, "1", "elements that are NaN or infinite")                       \
    V(rounding_error, FLOAT64, TENSOR, MODEL, NONE, "1",                                                     \
      "norm of the error that rounding to the quantised type explains, over l2norm")                         \
    V(cosine, FLOAT64, TENSOR, PAIR, NONE, "1", "cosine over elements finite in both")                       \
    V(centred_cosine, FLOAT64, TENSOR, PAIR, NONE, "1", "cosine after each tensor's mean is taken away")     \
    V(panel_cosine, FLOAT64, TENSOR, PAIR, NONE, "1", "centred cosine of the panels")                        \
    V(null_mean, FLOAT64, TENSOR, PAIR, NONE, "1",                                                           \
      "mean of the panel cosine over shifts of the residual axis")                                           \
    V(null_sd, FLOAT64, TENSOR, PAIR, NONE, "1", "its standard deviation over the shifts (n - 1)")           \
    V(t, FLOAT64, TENSOR, PAIR, NONE, "1",                                                                   \
      "panel cosine against the shifts, Student's t with 30 degrees of freedom")                             \
    V(relative_difference, FLOAT64, TENSOR, PAIR, NONE, "1", "norm of b - a over norm of a")                 \
    V(identical, BOOL, TENSOR, PAIR, NONE, "1", "same SHA-256 and same stored type")                         \
    V(equal_values, BOOL, TENSOR, PAIR, NONE, "1", "every decoded element is equal")

#define CG_LAYERS_VARIABLES(V)                                                                               \
    V(role_group, TEXT, ROLE_GROUP, NONE, NONE, "1", "attention, ffn, norm, all")                            \
    V(cosine, FLOAT64, PAIR, LAYER_B, ROLE_GROUP, "1", "mean cosine of layers of the same index")            \
    V(similarity, FLOAT64, PAIR, LAYER_A, LAYER_B, "1",                                                      \
      "mean cosine of two layers' matrices; off the diagonal by sketches or by matched hidden units")        \
    V(layer_map, INT32, PAIR, LAYER_B, NONE, "1", "layer of a that the layer of b comes from, -1 none")      \
    V(layer_log10_p, FLOAT64, PAIR, LAYER_B, NONE, "1", "decimal logarithm of the layer's corrected p-value")

#define CG_EXPERTS_VARIABLES(V)                                                                              \
    V(pair, INT32, EXPERT_MATCH, NONE, NONE, "1", "index of the pair")                                       \
    V(layer_b, INT32, EXPERT_MATCH, NONE, NONE, "1", "layer of b")                                           \
    V(expert_b, INT32, EXPERT_MATCH, NONE, NONE, "1", "expert of b")                                         \
    V(layer_a, INT32, EXPERT_MATCH, NONE, NONE, "1", "layer of a")                                           \
    V(expert_a, INT32, EXPERT_MATCH, NONE, NONE, "1", "expert of a, -1 when a dense block is the origin")    \
    V(cosine, FLOAT64, EXPERT_MATCH, NONE, NONE, "1",                                                        \
      "mean cosine of the matched hidden units, or the matrices")                                            \
    V(log10_p, FLOAT64, EXPERT_MATCH, NONE, NONE, "1", "decimal logarithm of the corrected p-value")         \
    V(router_expert_a, INT32, EXPERT_MATCH, NONE, NONE, "1",                                                 \
      "expert of layer_a that the routers alone name, -1 none, or several fit alike")                        \
    V(router_cosine, FLOAT64, EXPERT_MATCH, NONE, NONE, "1",                                                 \
      "centred cosine of the two experts' router rows, or of their answers to tokens")                       \
    V(maps_agree, BOOL, EXPERT_MATCH, NONE, NONE, "1", "routers and matrices name the same expert of a")

/* What the blocks' verdicts rest on; the formulas and nulls stand in blocks.h. Beyond 262,144 rows in all the
 * cells that were tested exactly stay, and of the others evenly spread ones. */
#define CG_CELLS_VARIABLES(V)                                                                                \
    V(pair, INT32, CELL, NONE, NONE, "1",                                                                    \
      "index of the pair; of very many cells those tested exactly and some others are listed")               \
    V(layer_a, INT32, CELL, NONE, NONE, "1", "layer of the block of a")                                      \
    V(expert_a, INT32, CELL, NONE, NONE, "1", "its expert, -1: dense or shared")                             \
    V(layer_b, INT32, CELL, NONE, NONE, "1", "layer of the block of b")                                      \
    V(expert_b, INT32, CELL, NONE, NONE, "1", "its expert, -1: dense or shared")                             \
    V(units, INT32, CELL, NONE, NONE, "1", "hidden units sampled in the smaller of the two")                 \
    V(by_rows, INT32, CELL, NONE, NONE, "1",                                                                 \
      "units that gate and up match to one partner by rows, -1: not taken")                                  \
    V(by_tokens, INT32, CELL, NONE, NONE, "1", "the same by answers to shared tokens")                       \
    V(products_t, FLOAT64, CELL, NONE, NONE, "1",                                                            \
      "correlation of the products of gate and up against shifts, Student's t with 30 degrees of freedom")   \
    V(fixed_gate, INT32, CELL, NONE, NONE, "1", "exact test: fixed points by gate, -1: not taken")           \
    V(fixed_up, INT32, CELL, NONE, NONE, "1", "exact test: fixed points by up, -1: not taken")

/* A row a child, parent and layer; the formulas stand in merges.h. */
#define CG_MERGES_VARIABLES(V)                                                                               \
    V(child, INT32, MERGE_ROW, NONE, NONE, "1", "index of the model that is a weighted sum of others")       \
    V(base, INT32, MERGE_ROW, NONE, NONE, "1",                                                               \
      "index of the model whose weight is one minus the parents', -1: none, their weights sum to one")       \
    V(parent, INT32, MERGE_ROW, NONE, NONE, "1", "index of the parent")                                      \
    V(layer, INT32, MERGE_ROW, NONE, NONE, "1", "layer, -1: the matrices outside layers")                    \
    V(matrices, INT64, MERGE_ROW, NONE, NONE, "1", "matrices that the weight was fitted to")                 \
    V(weight, FLOAT64, MERGE_ROW, NONE, NONE, "1",                                                           \
      "weight of the parent in the child, by least squares; absent where parents cannot be told apart")      \
    V(standard_error, FLOAT64, MERGE_ROW, NONE, NONE, "1", "of the weight, between the layer's matrices")    \
    V(unexplained, FLOAT64, MERGE_ROW, NONE, NONE, "1",                                                      \
      "share of the layer's squared distance to the nearest of the models that the sum leaves")              \
    V(unexplained_in_all, FLOAT64, MERGE_ROW, NONE, NONE, "1", "the same over all layers of the child")      \
    V(alike, INT32, MERGE_ROW, NONE, NONE, "1",                                                              \
      "index of a model that in the parent's place explains as much, -1: none")                              \
    V(ambiguous, BOOL, MERGE_ROW, NONE, NONE, "1", "another of these models would do as well as the child")

#define CG_IDENTITIES_VARIABLES(V)                                                                           \
    V(pair, INT32, IDENTITY, NONE, NONE, "1",                                                                \
      "index of the pair; of each the first 65,536 over the number of pairs are listed")                     \
    V(tensor_b, INT64, IDENTITY, NONE, NONE, "1", "slot of b, as index into /tensors; each stands once")     \
    V(tensor_a, INT64, IDENTITY, NONE, NONE, "1",                                                            \
      "first other slot of a that holds the same bytes, as index into /tensors")

#define CG_EMBEDDINGS_VARIABLES(V)                                                                           \
    V(rows_a, INT64, PAIR, NONE, NONE, "1", "rows of a's input embedding")                                   \
    V(rows_b, INT64, PAIR, NONE, NONE, "1", "rows of b's input embedding")                                   \
    V(shared_tokens, INT64, PAIR, NONE, NONE, "1", "tokens of the same bytes in both vocabularies")          \
    V(same_id_tokens, INT64, PAIR, NONE, NONE, "1", "shared tokens with the same id in both")                \
    V(cosine, FLOAT64, PAIR, NONE, NONE, "1", "cosine of the rows of the shared tokens, as one vector")      \
    V(centred_cosine, FLOAT64, PAIR, NONE, NONE, "1", "the same after each side's mean row is taken away")   \
    V(columns, INT32, PAIR, NONE, NONE, "1", "columns in the exact test over shared tokens, 0: not taken")   \
    V(fixed_columns, INT32, PAIR, NONE, NONE, "1", "of these, that are assigned to themselves")              \
    V(token_gram, FLOAT64, PAIR, NONE, NONE, "1",                                                            \
      "correlation of inner products of shared tokens, in whatever basis")                                   \
    V(token_pair, INT32, TOKEN, NONE, NONE, "1", "index of the pair")                                        \
    V(token_id_a, INT64, TOKEN, NONE, NONE, "1", "row in a")                                                 \
    V(token_id_b, INT64, TOKEN, NONE, NONE, "1", "row in b")                                                 \
    V(token_text, TEXT, TOKEN, NONE, NONE, "1", "the token, printable")                                      \
    V(token_cosine, FLOAT64, TOKEN, NONE, NONE, "1", "cosine of the two rows")                               \
    V(token_centred_cosine, FLOAT64, TOKEN, NONE, NONE, "1",                                                 \
      "the same after each side's mean row is taken away")

#define CG_PCA_VARIABLES(V)                                                                                  \
    V(score, FLOAT64, SAMPLE, COMPONENT, NONE, "1", "scores of the samples")                                 \
    V(explained_variance, FLOAT64, COMPONENT, NONE, NONE, "1", "variance along the component (n - 1)")       \
    V(explained_variance_ratio, FLOAT64, COMPONENT, NONE, NONE, "1", "its share of the whole variance")      \
    V(component_vector, FLOAT64, COMPONENT, FEATURE, NONE, "1", "unit vectors of the components")            \
    V(feature_mean, FLOAT64, FEATURE, NONE, NONE, "1", "mean of the feature over the samples")               \
    V(sample_model, INT32, SAMPLE, NONE, NONE, "1", "index of the sample's model")                           \
    V(sample_layer, INT32, SAMPLE, NONE, NONE, "1", "layer of the sample's slot")                            \
    V(sample_expert, INT32, SAMPLE, NONE, NONE, "1", "expert of the sample's slot, -1 where none")           \
    V(sample_role, TEXT, SAMPLE, NONE, NONE, "1", "role of the sample's slot")

#endif
