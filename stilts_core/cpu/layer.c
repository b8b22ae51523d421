/* A BERT layer, forward and backward, for CPUs with AVX512-BF16; see layer.py for what it computes.

What follows a product (bias, GELU, residual, dropout, column sums) is done to each tile of it while that is in the
cache. Rows are sub-words; sizes along them are multiples of 16. Threads take blocks of work as they come free, since
another process may hold up one of them. */

#include "attention.h"
#include "norm.h"
#include "weights.h"

#define AHEAD(PLACE) _mm_prefetch((const char *)(PLACE), _MM_HINT_T0)

INLINE void cast(const float *from, void *to, int64_t count, int bf16) {
    for (int64_t i = 0; i < count; i += 16) put(to, i, get(from, i, 0), bf16);
}

#define BIASED(BIAS) _mm512_add_ps(v, _mm512_loadu_ps((BIAS) + j))

INLINE void attend_forward(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(tokens); block++) {
            int64_t first = start_of(block, tokens), rows = start_of(block + 1, tokens) - first;
            const void *xs = l->x + first * hidden;
            if (bf16) {
                void *words = l->training ? at(l->xb, first * hidden, 1) : room(2 * BLOCK * hidden);
                cast(l->x + first * hidden, words, rows * hidden, 1);
                xs = words;
            }
            void *qkv = at(l->qkv, first * 3 * hidden, bf16);
            PRODUCT(rows_of(xs, rows, hidden, bf16), packed(l->w_qkv, 3 * hidden, hidden, bf16), bf16,
                    put(qkv, i * 3 * hidden + j, BIASED(l->b_qkv), bf16));
        }
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < l->sequences * l->heads; task++) {
            int64_t sequence = task / l->heads, begin = l->starts[sequence];
            head_forward(l, begin, l->starts[sequence + 1] - begin, task % l->heads, bf16);
        }
    }
}

INLINE void feed_forward(const Layer *l, const int bf16) {
    int64_t hidden = l->hidden, inner = l->inner, kept_rows = l->training;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(l->rows); block++) {
            int64_t first = start_of(block, l->rows), rows = start_of(block + 1, l->rows) - first;
            int64_t place = first * hidden;
            float *before = room(4 * BLOCK * (2 * hidden + hidden + inner)), *y = before + BLOCK * hidden;
            void *yb = kept_rows ? at(l->yb, place, bf16) : y + BLOCK * hidden;
            void *active = kept_rows ? at(l->active, first * inner, bf16) : y + 2 * BLOCK * hidden;
            void *slope = kept_rows ? at(l->slope, first * inner, bf16) : NULL;
            const float *x = l->residual + place;
            PRODUCT(rows_of(at(l->picked, place, bf16), rows, hidden, bf16), packed(l->w_out, hidden, hidden, bf16), bf16, {
                v = dropped(BIASED(l->b_out), l->seed_attended, number_of(l, first + i) + j, l->dropout);
                _mm512_storeu_ps(before + i * hidden + j, _mm512_add_ps(v, _mm512_loadu_ps(x + i * hidden + j)));
            });
            norm(l, rows, before, l->gain_y, l->shift_y, y, yb, kept_rows ? l->norm_y + place : NULL,
                 kept_rows ? l->scale_y + first : NULL, bf16);
            PRODUCT(rows_of(yb, rows, hidden, bf16), packed(l->w_up, inner, hidden, bf16), bf16, {
                __m512 value, steep;
                gelu16(BIASED(l->b_up), &value, &steep);
                put(active, i * inner + j, value, bf16);
                if (slope) put(slope, i * inner + j, steep, bf16);
            });
            PRODUCT(rows_of(active, rows, inner, bf16), packed(l->w_down, hidden, inner, bf16), bf16, {
                v = dropped(BIASED(l->b_down), l->seed_down, number_of(l, first + i) + j, l->dropout);
                _mm512_storeu_ps(before + i * hidden + j, _mm512_add_ps(v, _mm512_loadu_ps(y + i * hidden + j)));
            });
            norm(l, rows, before, l->gain_out, l->shift_out, l->out + place, NULL,
                 kept_rows ? l->norm_out + place : NULL, kept_rows ? l->scale_out + first : NULL, bf16);
        }
    }
}

/* How many words the factors of a backward pass's weights take. */
int64_t factors(const Layer *l) {
    int64_t hidden = l->hidden, inner = l->inner;
    word *end = NULL, *start = NULL;
    weights_of(NULL, 3 * hidden, NULL, hidden, l->tokens, NULL, NULL, 0, &start, l->bf16);
    weights_of(NULL, hidden, NULL, hidden, l->rows, NULL, NULL, 0, &end, l->bf16);
    weights_of(NULL, hidden, NULL, inner, l->rows, NULL, NULL, 0, &end, l->bf16);
    weights_of(NULL, inner, NULL, hidden, l->rows, NULL, NULL, 0, &end, l->bf16);
    return ((start > end ? start : end) - (word *)NULL);
}

/* `sums`, zero before, holds for each block its part of the gradients of gain and shift of the last norm and of the
first, and of the biases of out, down and up. */
INLINE void feed_forward_backward(const Layer *l, const int bf16) {
    int64_t hidden = l->hidden, inner = l->inner, each = 6 * hidden + inner;
    float *biases = l->sums + 4 * hidden;
    word *end = l->factors;
    const Weights weights[3] = {
        weights_of(l->d_added, hidden, l->picked, hidden, l->rows, l->g_out, biases, each, &end, bf16),
        weights_of(l->d_down, hidden, l->active, inner, l->rows, l->g_down, biases + hidden, each, &end, bf16),
        weights_of(l->d_up, inner, l->yb, hidden, l->rows, l->g_up, biases + 2 * hidden, each, &end, bf16),
    };
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(l->rows); block++) {
            int64_t first = start_of(block, l->rows), rows = start_of(block + 1, l->rows) - first;
            int64_t place = first * hidden;
            float *d_y = room(4 * BLOCK * hidden), *sums = l->sums + block * each;
            void *d_down = at(l->d_down, place, bf16), *d_up = at(l->d_up, first * inner, bf16);
            void *d_added = at(l->d_added, place, bf16), *slope = at(l->slope, first * inner, bf16);
            void *d_picked = at(l->d_picked, place, bf16);
            norm_backward(l, rows, l->d_out + place, l->norm_out + place, l->scale_out + first, l->gain_out,
                          l->seed_down, first, d_y, d_down, sums, bf16);
            PRODUCT(rows_of(d_down, rows, hidden, bf16), packed(l->v_down, inner, hidden, bf16), bf16, {
                AHEAD(at(slope, (i + TILE) * inner + j, bf16));
                v = _mm512_mul_ps(v, get(slope, i * inner + j, bf16));
                put(d_up, i * inner + j, v, bf16);
            });
            PRODUCT(rows_of(d_up, rows, inner, bf16), packed(l->v_up, hidden, inner, bf16), bf16,
                    add_to(d_y + i * hidden + j, v));
            norm_backward(l, rows, d_y, l->norm_y + place, l->scale_y + first, l->gain_y, l->seed_attended, first,
                          l->d_residual + place, d_added, sums + 2 * hidden, bf16);
            PRODUCT(rows_of(d_added, rows, hidden, bf16), packed(l->v_out, hidden, hidden, bf16), bf16,
                    put(d_picked, i * hidden + j, v, bf16));
            for (int64_t w = 0; w < 3; w++) lay_out(weights + w, block, first, rows, bf16);
        }
        finish(weights, 3, l->sums, blocks_of(l->rows), each, bf16);
    }
}

/* Adds to d_x what comes through attention; `sums_qkv`, zero before, holds for each block its part of the
biases' gradients. */
INLINE void attend_backward(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden, each = 3 * hidden;
    word *end = l->factors;
    const Weights weights = weights_of(l->d_qkv, each, bf16 ? l->xb : l->x, hidden, tokens, l->g_qkv, l->sums_qkv, each,
                                       &end, bf16);
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < l->sequences * l->heads; task++) {
            int64_t sequence = task / l->heads, begin = l->starts[sequence];
            head_backward(l, begin, l->starts[sequence + 1] - begin, task % l->heads, bf16);
        }
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(tokens); block++) {
            int64_t first = start_of(block, tokens), rows = start_of(block + 1, tokens) - first;
            float *d_x = l->d_x + first * hidden;
            PRODUCT(rows_of(at(l->d_qkv, first * 3 * hidden, bf16), rows, 3 * hidden, bf16),
                    packed(l->v_qkv, hidden, 3 * hidden, bf16), bf16, add_to(d_x + i * hidden + j, v));
            lay_out(&weights, block, first, rows, bf16);
        }
        finish(&weights, 1, l->sums_qkv, blocks_of(tokens), each, bf16);
    }
}

/* How many blocks `rows` rows have, and so how many parts their sums. */
int64_t blocks(int64_t rows) { return blocks_of(rows); }

/* Some of the weights of a product, (rows, columns), its rows from `first` on of `total`; packed for both directions. */
typedef struct {
    const float *weights;
    int64_t rows, columns, first, total;
    word *forward, *backward; /* NULL where the backward pass is not asked for */
} Part;

/* Pack 16 rows from `row` on. */
INLINE void pack_rows(const Part *p, int64_t row, const int bf16) {
    int64_t each = bf16 ? 2 : 1, deep = p->columns / each, high = p->total / each, place = p->first + row;
    const float *from = p->weights + row * p->columns;
    const void *lines = from;
    if (bf16) {
        lines = room(2 * 16 * p->columns);
        for (int64_t i = 0; i < 16 * p->columns; i += 16) put((void *)lines, i, get(from, i, 0), 1);
    }
    columns_of(lines, deep, 16, deep, p->forward + place / PANEL * PANEL * deep + place % PANEL, PANEL);
    if (p->backward)
        for (int64_t r = 0; r < 16; r += each)
            for (int64_t c = 0; c < p->columns; c += 16)
                _mm512_storeu_si512(p->backward + c / PANEL * PANEL * high + (place + r) / each * PANEL + c % PANEL,
                                    below16(at(lines, r * p->columns, bf16), p->columns, 1, c, bf16));
}

void pack(const Part *parts, int64_t count, int64_t bf16, int64_t threads) {
#pragma omp parallel num_threads(threads)
    for (int64_t number = 0; number < count; number++) {
#pragma omp for schedule(dynamic) nowait
        for (int64_t row = 0; row < parts[number].rows; row += 16)
            if (bf16) pack_rows(parts + number, row, 1);
            else pack_rows(parts + number, row, 0);
    }
}

#define ENTRY(NAME, FUNCTION)                                                                                       \
    void NAME(const Layer *l) {                                                                                     \
        if (l->bf16) FUNCTION(l, 1);                                                                                \
        else FUNCTION(l, 0);                                                                                        \
    }
ENTRY(attention, attend_forward)
ENTRY(rest, feed_forward)
ENTRY(rest_backward, feed_forward_backward)
ENTRY(attention_backward, attend_backward)
