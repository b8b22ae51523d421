/* The arguments of a layer's passes, and the blocks of rows in which a layer works. kernels.py has the same fields. */

#pragma once

#include "products.h"

/* Prefixes of names: w_ and v_ packed weights, b_ bias, g_ gradient of a weight, d_ gradient of a value. `y` is the
output of attention's block, `out` the output of the layer. */
typedef struct {
    int64_t tokens;    /* sub-words of the batch */
    int64_t rows;      /* of them, rows that are computed after attention */
    int64_t sequences; /* sequences of the batch */
    int64_t hidden, heads, inner; /* hidden size, attention heads, size of the feed-forward's inner vectors */
    int64_t width;     /* length of the longest sequence, rounded up to 16 */
    int64_t bf16;      /* 1: matrix products in bf16, 0: in fp32 */
    int64_t threads, training;
    double eps, dropout, attention_dropout;
    uint64_t seed_weights, seed_attended, seed_down; /* of dropout */
    const int32_t *starts;    /* where each sequence begins, and where the last one ends */
    const int64_t *used_rows; /* the rows that are computed after attention; NULL: all rows */
    const word *w_qkv, *w_out, *w_up, *w_down; /* packed to multiply rows by the transposed weights */
    const word *v_qkv, *v_out, *v_up, *v_down; /* packed to multiply gradients of rows by the weights */
    const float *b_qkv, *b_out, *b_up, *b_down, *gain_y, *shift_y, *gain_out, *shift_out;
    const float *x;  /* the input */
    void *xb, *qkv;  /* the input in bf16; queries, keys and values */
    float *lse;      /* the logarithm of the sum of exponentials of each query's scores */
    void *attended, *picked; /* attention's output before its last product; its used rows */
    const float *residual;   /* the used rows of the input */
    float *norm_y, *scale_y; /* y after normalisation, before gain and shift; the factors of the normalisation */
    void *yb, *active, *slope; /* y in the precision of products; GELU's values and derivatives */
    float *norm_out, *scale_out, *out;
    const float *d_out;
    void *d_down, *d_up, *d_added, *d_picked, *d_attended, *d_qkv;
    float *d_residual, *d_x, *sums, *sums_qkv;
    word *factors; /* memory for the packed factors of the weights' gradients: `count_factor_words` words */
    float *g_qkv, *g_out, *g_up, *g_down;
} Layer;

/* A layer works on blocks of rows, so that intermediate results stay in the cache. The number of blocks is a multiple
of SHARES, and their numbers of tiles differ by at most one. Threads therefore have equal work, and the number of
threads does not change the result. */
#define BLOCK 96 /* rows of the largest block */
#define SHARES 4

INLINE int64_t blocks_of(int64_t rows) { return round_up(rows, SHARES * BLOCK) / BLOCK; }

INLINE int64_t start_of(int64_t block, int64_t rows) {
    return least(rows, round_up(rows, TILE) / TILE * block / blocks_of(rows) * TILE);
}

/* The number of a row's first value; dropout depends on it. */
INLINE int64_t first_number(const Layer *l, int64_t row) {
    return (l->used_rows ? l->used_rows[row] : row) * l->hidden;
}

/* Scratch memory of the calling thread. The next call reuses it: freed memory would be returned to the system, and its
pages would be zeroed again. */
static void *scratch(int64_t bytes) {
    static _Thread_local void *memory = NULL;
    static _Thread_local int64_t size = 0;
    if (bytes > size) {
        free(memory);
        memory = aligned_alloc(64, size = round_up(bytes, 4096));
    }
    return memory;
}
