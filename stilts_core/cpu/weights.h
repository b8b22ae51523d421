/* Gradients of weights: products over all rows, whose factors are laid out block by block while they are in the cache. */

#pragma once

#include "layer.h"

#define NARROW 512 /* columns up to which a factor in fp32 is not laid out, as its words are near enough to each other */
#define APART(WORDS) (((WORDS) / 16 | 1) * 16 + 32) /* between panels: odd lines, so that they do not share cache sets */

typedef struct {
    const void *d, *inputs; /* (rows, m), the gradient of what the weights give, and (rows, n), what they are given */
    float *gradient;        /* (m, n) */
    float *bias;            /* (m,) of the first block of rows; those of the next are `step` further on */
    int64_t rows, m, n, step, deep, left_step, right_step;
    word *left, *right;
} Weights;

INLINE int as_it_is(const Weights *w, int bf16) { return !bf16 && w->m <= NARROW; }

/* Weights whose factors will be laid out from `*factors` on, which then points behind them. */
INLINE Weights weights_of(const void *d, int64_t m, const void *inputs, int64_t n, int64_t rows, float *gradient,
                          float *bias, int64_t step, word **factors, int bf16) {
    int64_t deep = bf16 ? up_to(rows, 2) / 2 : rows;
    int64_t left_step = APART(TILE * deep), right_step = APART(PANEL * deep);
    word *left = *factors, *right = left + up_to(m, TILE) / TILE * left_step;
    *factors = right + up_to(n, PANEL) / PANEL * right_step;
    return (Weights){d, inputs, gradient, bias, rows, m, n, step, deep, left_step, right_step, left, right};
}

/* Lay out both factors of `count` rows from `first` on, an even number, and add up the bias's gradient of their block. */
INLINE void lay_out(const Weights *w, int64_t block, int64_t first, int64_t count, const int bf16) {
    __m512i ones = bf16 ? _mm512_set1_epi32(0x3f803f80) : _mm512_set1_epi32(0x3f800000);
    int64_t each = bf16 ? 2 : 1, m = w->m, n = w->n;
    float *sum = w->bias + block * w->step;
    word line[up_to(m, 16) + 16];
    for (int64_t row = first; row < first + count; row += each) {
        int two = row + 1 < w->rows;
        if (as_it_is(w, bf16)) {
            for (int64_t c = 0; c < m; c += 16) add_to(sum + c, get(w->d, row * m + c, 0));
            continue;
        }
        for (int64_t c = 0; c < m; c += 16) {
            __m512i words = below16(at(w->d, row * m, bf16), m, two, c, bf16);
            __m512 so_far = _mm512_loadu_ps(sum + c);
            _mm512_storeu_ps(sum + c, bf16 ? PAIRS(so_far, words, ones) : SINGLE(so_far, words, ones));
            _mm512_storeu_si512(line + c, words);
        }
        for (int64_t g = 0; g < up_to(m, TILE) / TILE; g++) {
            word *to = w->left + g * w->left_step + row / each * TILE;
            _mm_storeu_si128((__m128i *)to, _mm_loadu_si128((__m128i *)(line + g * TILE)));
            _mm_storel_epi64((__m128i *)(to + 4), _mm_loadl_epi64((__m128i *)(line + g * TILE + 4)));
        }
        for (int64_t c = 0; c < n; c += 16)
            _mm512_storeu_si512(w->right + c / PANEL * w->right_step + row / each * PANEL + c % PANEL,
                                below16(at(w->inputs, row * n, bf16), n, two, c, bf16));
    }
}

/* A product is done in tasks: a panel of columns for some tiles of rows. */
#define HIGH 96 /* rows of a task */
INLINE int64_t tasks_of(const Weights *w) { return up_to(w->m, HIGH) / HIGH * (up_to(w->n, PANEL) / PANEL); }

INLINE void multiply(const Weights *w, int64_t task, const int bf16) {
    int64_t high = up_to(w->m, HIGH) / HIGH, column = task / high * PANEL, start = task % high * HIGH;
    Right right = {w->right + column / PANEL * w->right_step, least(PANEL, w->n - column), 0, PANEL};
    if (as_it_is(w, bf16)) right.words = (const word *)w->inputs + column, right.row = w->n;
    for (int64_t row = start; row < least(w->m, start + HIGH); row += TILE) {
        Left left = {w->left + row / TILE * w->left_step, least(TILE, w->m - row), w->deep, 1, TILE};
        if (as_it_is(w, bf16)) left.words = (const word *)w->d + row, left.next = w->m;
        PRODUCT(left, right, bf16, _mm512_storeu_ps(w->gradient + (row + i) * w->n + column + j, v));
    }
}

/* Let the first block's part of what every block of rows has summed, `each` numbers, become the sum over all; in tasks. */
#define WIDE 256 /* numbers of a task */
INLINE int64_t joins_of(int64_t each) { return up_to(each, WIDE) / WIDE; }

INLINE void join(float *sums, int64_t blocks, int64_t each, int64_t task) {
    for (int64_t block = 1; block < blocks; block++)
        for (int64_t c = task * WIDE; c < least(each, (task + 1) * WIDE); c += 16)
            add_to(sums + c, _mm512_loadu_ps(sums + block * each + c));
}

/* The tasks of all weights and sums of a pass, shared among the threads of a region, who have laid out all factors. */
INLINE void finish(const Weights *weights, int64_t count, float *sums, int64_t blocks, int64_t each, const int bf16) {
    int64_t joins = joins_of(each), all = joins;
    for (int64_t w = 0; w < count; w++) all += tasks_of(weights + w);
#pragma omp for schedule(dynamic)
    for (int64_t number = 0; number < all; number++) {
        int64_t task = number - joins;
        const Weights *w = weights;
        if (task < 0) {
            join(sums, blocks, each, number);
            continue;
        }
        for (; task >= tasks_of(w); w++) task -= tasks_of(w);
        multiply(w, task, bf16);
    }
}
