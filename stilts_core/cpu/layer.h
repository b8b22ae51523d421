/* What the passes of a layer read and write; kernels.py has the same fields. */

#pragma once

#include "products.h"

typedef struct {
    int64_t tokens, rows, sequences, hidden, heads, inner, width, bf16, threads, training;
    double eps, dropout, attention_dropout;
    uint64_t seed_weights, seed_attended, seed_down;
    const int32_t *starts;
    const int64_t *places; /* of the rows that go on after attention; NULL where all do */
    const word *w_qkv, *w_out, *w_up, *w_down; /* packed to multiply rows by the transposed weights */
    const word *v_qkv, *v_out, *v_up, *v_down; /* packed to multiply gradients of rows by the weights */
    const float *b_qkv, *b_out, *b_up, *b_down, *gain_y, *shift_y, *gain_out, *shift_out;
    const float *x;
    void *xb, *qkv;
    float *lse;
    void *attended, *picked;
    const float *residual;
    float *norm_y, *scale_y;
    void *yb, *active, *slope;
    float *norm_out, *scale_out, *out;
    const float *d_out;
    void *d_down, *d_up, *d_added, *d_picked, *d_attended, *d_qkv;
    float *d_residual, *d_x, *sums, *sums_qkv;
    word *factors; /* of the gradients of weights, laid out: as many words as `factors` says */
    float *g_qkv, *g_out, *g_up, *g_down;
} Layer;

/* Rows go through a layer in blocks, which leave what they make on the way in the cache. A multiple of SHARES blocks of
as many tiles, to one: so threads have the same to do, and their number decides nothing of a result. */
#define BLOCK 96 /* rows of the largest */
#define SHARES 4

INLINE int64_t blocks_of(int64_t rows) { return up_to(rows, SHARES * BLOCK) / BLOCK; }

INLINE int64_t start_of(int64_t block, int64_t rows) {
    return least(rows, up_to(rows, TILE) / TILE * block / blocks_of(rows) * TILE);
}

/* The number of a row's first value, which decides what dropout draws for it. */
INLINE int64_t number_of(const Layer *l, int64_t row) { return (l->places ? l->places[row] : row) * l->hidden; }

/* Memory of the calling thread, kept for the next call: freed memory would be given back, and its pages zeroed anew. */
static void *room(int64_t bytes) {
    static _Thread_local void *held = NULL;
    static _Thread_local int64_t size = 0;
    if (bytes > size) {
        free(held);
        held = aligned_alloc(64, size = up_to(bytes, 4096));
    }
    return held;
}
