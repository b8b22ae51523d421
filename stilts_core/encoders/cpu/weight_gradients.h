/* Gradients of weights: products over all rows. Factors are packed block by block, while they are in the cache. */

#pragma once

#include "layer.h"

/* A factor in fp32 of at most this many columns is not packed, because its words lie close enough to each other. */
#define NARROW 512
/* The distance between panels: an odd number of cache lines, so that panels do not share cache sets. */
#define PANEL_STRIDE(WORDS) (((WORDS) / 16 | 1) * 16 + 32)

typedef struct {
    const void *d, *inputs; /* the gradient of the product's output (rows, m), and its input (rows, n) */
    float *gradient;        /* (m, n) */
    float *bias;            /* (m,) for the first block of rows; each further block lies `step` further on */
    int64_t rows, m, n, step, depth, left_step, right_step;
    word *left, *right;
} WeightGradient;

/* Whether the factors are read where they are, without packing. */
INLINE int is_direct(const WeightGradient *w, int bf16) { return !bf16 && w->m <= NARROW; }

/* A gradient whose factors will be packed from `*factors` on. Moves `*factors` behind them. */
INLINE WeightGradient weight_gradient(const void *d, int64_t m, const void *inputs, int64_t n, int64_t rows,
                                      float *gradient, float *bias, int64_t step, word **factors, int bf16) {
    int64_t depth = bf16 ? round_up(rows, 2) / 2 : rows;
    int64_t left_step = PANEL_STRIDE(TILE * depth), right_step = PANEL_STRIDE(PANEL * depth);
    word *left = *factors, *right = left + round_up(m, TILE) / TILE * left_step;
    *factors = right + round_up(n, PANEL) / PANEL * right_step;
    return (WeightGradient){d, inputs, gradient, bias, rows, m, n, step, depth, left_step, right_step, left, right};
}

/* Pack both factors of `count` rows from `first` on (an even number), and sum the bias's gradient for their block. */
INLINE void pack_factors(const WeightGradient *w, int64_t block, int64_t first, int64_t count, const int bf16) {
    __m512i ones = bf16 ? _mm512_set1_epi32(0x3f803f80) : _mm512_set1_epi32(0x3f800000);
    int64_t per_word = bf16 ? 2 : 1, m = w->m, n = w->n;
    float *sum = w->bias + block * w->step;
    word line[round_up(m, 16) + 16];
    for (int64_t row = first; row < first + count; row += per_word) {
        int has_second = row + 1 < w->rows;
        if (is_direct(w, bf16)) {
            for (int64_t c = 0; c < m; c += 16) add_to(sum + c, get(w->d, row * m + c, 0));
            continue;
        }
        for (int64_t c = 0; c < m; c += 16) {
            __m512i words = interleave16(at(w->d, row * m, bf16), m, has_second, c, bf16);
            __m512 so_far = _mm512_loadu_ps(sum + c);
            _mm512_storeu_ps(sum + c, bf16 ? PAIRS(so_far, words, ones) : SINGLE(so_far, words, ones));
            _mm512_storeu_si512(line + c, words);
        }
        for (int64_t g = 0; g < round_up(m, TILE) / TILE; g++) {
            word *to = w->left + g * w->left_step + row / per_word * TILE;
            _mm_storeu_si128((__m128i *)to, _mm_loadu_si128((__m128i *)(line + g * TILE)));
            _mm_storel_epi64((__m128i *)(to + 4), _mm_loadl_epi64((__m128i *)(line + g * TILE + 4)));
        }
        for (int64_t c = 0; c < n; c += 16)
            _mm512_storeu_si512(w->right + c / PANEL * w->right_step + row / per_word * PANEL + c % PANEL,
                                interleave16(at(w->inputs, row * n, bf16), n, has_second, c, bf16));
    }
}

/* A product is computed in tasks: one panel of columns for some tiles of rows. */
#define TASK_ROWS 96 /* rows of a task */
INLINE int64_t count_tasks(const WeightGradient *w) {
    return round_up(w->m, TASK_ROWS) / TASK_ROWS * (round_up(w->n, PANEL) / PANEL);
}

INLINE void multiply(const WeightGradient *w, int64_t task, const int bf16) {
    int64_t row_tasks = round_up(w->m, TASK_ROWS) / TASK_ROWS;
    int64_t column = task / row_tasks * PANEL, start = task % row_tasks * TASK_ROWS;
    Right right = {w->right + column / PANEL * w->right_step, least(PANEL, w->n - column), 0, PANEL};
    if (is_direct(w, bf16)) right.words = (const word *)w->inputs + column, right.row = w->n;
    for (int64_t row = start; row < least(w->m, start + TASK_ROWS); row += TILE) {
        Left left = {w->left + row / TILE * w->left_step, least(TILE, w->m - row), w->depth, 1, TILE};
        if (is_direct(w, bf16)) left.words = (const word *)w->d + row, left.next = w->m;
        PRODUCT(left, right, bf16, _mm512_storeu_ps(w->gradient + (row + i) * w->n + column + j, v));
    }
}

/* Every block of rows has summed `each` numbers. Add the sums of all blocks to those of the first block, in tasks. */
#define TASK_SUMS 256 /* numbers of a task */
INLINE int64_t count_sum_tasks(int64_t each) { return round_up(each, TASK_SUMS) / TASK_SUMS; }

INLINE void add_blocks(float *sums, int64_t blocks, int64_t each, int64_t task) {
    for (int64_t block = 1; block < blocks; block++)
        for (int64_t c = task * TASK_SUMS; c < least(each, (task + 1) * TASK_SUMS); c += 16)
            add_to(sums + c, _mm512_loadu_ps(sums + block * each + c));
}

/* Run the tasks of all gradients and sums of a pass, shared among the threads of a parallel region. All factors must be
packed. */
INLINE void multiply_all(const WeightGradient *weights, int64_t count, float *sums, int64_t blocks, int64_t each,
                         const int bf16) {
    int64_t sum_tasks = count_sum_tasks(each), all = sum_tasks;
    for (int64_t w = 0; w < count; w++) all += count_tasks(weights + w);
#pragma omp for schedule(dynamic)
    for (int64_t number = 0; number < all; number++) {
        int64_t task = number - sum_tasks;
        const WeightGradient *w = weights;
        if (task < 0) {
            add_blocks(sums, blocks, each, number);
            continue;
        }
        for (; task >= count_tasks(w); w++) task -= count_tasks(w);
        multiply(w, task, bf16);
    }
}
