/* A BERT layer, forward and backward, for CPUs with AVX512-BF16; layer.py says what it computes.

The operations after a product (bias, GELU, residual, dropout, column sums) are applied to each tile while it is in the
cache. Rows are sub-words; the size of a row is a multiple of 16. Free threads take the next block of work, because
another process may delay one of them. */

#include "attention.h"
#include "norm.h"
#include "weight_gradients.h"

#define PREFETCH(PLACE) _mm_prefetch((const char *)(PLACE), _MM_HINT_T0)

/* Copy numbers from fp32 to another precision. */
INLINE void cast(const float *from, void *to, int64_t count, int bf16) {
    for (int64_t i = 0; i < count; i += 16) put(to, i, get(from, i, 0), bf16);
}

#define BIASED(BIAS) _mm512_add_ps(v, _mm512_loadu_ps((BIAS) + j))

/* Attention up to, but without, its output's product: x -> attended. */
INLINE void attend(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(tokens); block++) {
            int64_t first = start_of(block, tokens), rows = start_of(block + 1, tokens) - first;
            const void *xs = l->x + first * hidden;
            if (bf16) {
                void *words = l->training ? at(l->xb, first * hidden, 1) : scratch(2 * BLOCK * hidden);
                cast(l->x + first * hidden, words, rows * hidden, 1);
                xs = words;
            }
            void *qkv = at(l->qkv, first * 3 * hidden, bf16);
            PRODUCT(rows_of(xs, rows, hidden, bf16), panels_of(l->w_qkv, 3 * hidden, hidden, bf16), bf16,
                    put(qkv, i * 3 * hidden + j, BIASED(l->b_qkv), bf16));
        }
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < l->sequences * l->heads; task++) {
            int64_t sequence = task / l->heads, begin = l->starts[sequence];
            head_forward(l, begin, l->starts[sequence + 1] - begin, task % l->heads, bf16);
        }
    }
}

/* The rest of the layer: picked -> y -> out. */
INLINE void feed(const Layer *l, const int bf16) {
    int64_t hidden = l->hidden, inner = l->inner, training = l->training;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(l->rows); block++) {
            int64_t first = start_of(block, l->rows), rows = start_of(block + 1, l->rows) - first;
            int64_t offset = first * hidden;
            float *before = scratch(4 * BLOCK * (2 * hidden + hidden + inner)), *y = before + BLOCK * hidden;
            void *yb = training ? at(l->yb, offset, bf16) : y + BLOCK * hidden;
            void *active = training ? at(l->active, first * inner, bf16) : y + 2 * BLOCK * hidden;
            void *slope = training ? at(l->slope, first * inner, bf16) : NULL;
            const float *x = l->residual + offset;
            const void *picked = at(l->picked, offset, bf16);
            PRODUCT(rows_of(picked, rows, hidden, bf16), panels_of(l->w_out, hidden, hidden, bf16), bf16, {
                v = with_dropout(BIASED(l->b_out), l->seed_attended, first_number(l, first + i) + j, l->dropout);
                _mm512_storeu_ps(before + i * hidden + j, _mm512_add_ps(v, _mm512_loadu_ps(x + i * hidden + j)));
            });
            norm(l, rows, before, l->gain_y, l->shift_y, y, yb, training ? l->norm_y + offset : NULL,
                 training ? l->scale_y + first : NULL, bf16);
            PRODUCT(rows_of(yb, rows, hidden, bf16), panels_of(l->w_up, inner, hidden, bf16), bf16, {
                __m512 value, derivative;
                gelu16(BIASED(l->b_up), &value, &derivative);
                put(active, i * inner + j, value, bf16);
                if (slope) put(slope, i * inner + j, derivative, bf16);
            });
            PRODUCT(rows_of(active, rows, inner, bf16), panels_of(l->w_down, hidden, inner, bf16), bf16, {
                v = with_dropout(BIASED(l->b_down), l->seed_down, first_number(l, first + i) + j, l->dropout);
                _mm512_storeu_ps(before + i * hidden + j, _mm512_add_ps(v, _mm512_loadu_ps(y + i * hidden + j)));
            });
            norm(l, rows, before, l->gain_out, l->shift_out, l->out + offset, NULL,
                 training ? l->norm_out + offset : NULL, training ? l->scale_out + first : NULL, bf16);
        }
    }
}

/* The number of words that the packed factors of a backward pass take. */
int64_t count_factor_words(const Layer *l) {
    int64_t hidden = l->hidden, inner = l->inner;
    word *end = NULL, *start = NULL;
    weight_gradient(NULL, 3 * hidden, NULL, hidden, l->tokens, NULL, NULL, 0, &start, l->bf16);
    weight_gradient(NULL, hidden, NULL, hidden, l->rows, NULL, NULL, 0, &end, l->bf16);
    weight_gradient(NULL, hidden, NULL, inner, l->rows, NULL, NULL, 0, &end, l->bf16);
    weight_gradient(NULL, inner, NULL, hidden, l->rows, NULL, NULL, 0, &end, l->bf16);
    return ((start > end ? start : end) - (word *)NULL);
}

/* The backward pass of `feed`. `sums`, zero at first, sums for each block the gradients of gain and shift of the last
norm, of gain and shift of the first norm, and of the biases of out, down and up. */
INLINE void feed_backward(const Layer *l, const int bf16) {
    int64_t hidden = l->hidden, inner = l->inner, block_sums = 6 * hidden + inner;
    float *biases = l->sums + 4 * hidden;
    word *end = l->factors;
    const WeightGradient weights[3] = {
        weight_gradient(l->d_added, hidden, l->picked, hidden, l->rows, l->g_out, biases, block_sums, &end, bf16),
        weight_gradient(l->d_down, hidden, l->active, inner, l->rows, l->g_down, biases + hidden, block_sums, &end,
                        bf16),
        weight_gradient(l->d_up, inner, l->yb, hidden, l->rows, l->g_up, biases + 2 * hidden, block_sums, &end, bf16),
    };
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t block = 0; block < blocks_of(l->rows); block++) {
            int64_t first = start_of(block, l->rows), rows = start_of(block + 1, l->rows) - first;
            int64_t offset = first * hidden;
            float *d_y = scratch(4 * BLOCK * hidden), *sums = l->sums + block * block_sums;
            void *d_down = at(l->d_down, offset, bf16), *d_up = at(l->d_up, first * inner, bf16);
            void *d_added = at(l->d_added, offset, bf16), *slope = at(l->slope, first * inner, bf16);
            void *d_picked = at(l->d_picked, offset, bf16);
            norm_backward(l, rows, l->d_out + offset, l->norm_out + offset, l->scale_out + first, l->gain_out,
                          l->seed_down, first, d_y, d_down, sums, bf16);
            PRODUCT(rows_of(d_down, rows, hidden, bf16), panels_of(l->v_down, inner, hidden, bf16), bf16, {
                PREFETCH(at(slope, (i + TILE) * inner + j, bf16));
                v = _mm512_mul_ps(v, get(slope, i * inner + j, bf16));
                put(d_up, i * inner + j, v, bf16);
            });
            PRODUCT(rows_of(d_up, rows, inner, bf16), panels_of(l->v_up, hidden, inner, bf16), bf16,
                    add_to(d_y + i * hidden + j, v));
            norm_backward(l, rows, d_y, l->norm_y + offset, l->scale_y + first, l->gain_y, l->seed_attended, first,
                          l->d_residual + offset, d_added, sums + 2 * hidden, bf16);
            PRODUCT(rows_of(d_added, rows, hidden, bf16), panels_of(l->v_out, hidden, hidden, bf16), bf16,
                    put(d_picked, i * hidden + j, v, bf16));
            for (int64_t w = 0; w < 3; w++) pack_factors(weights + w, block, first, rows, bf16);
        }
        multiply_all(weights, 3, l->sums, blocks_of(l->rows), block_sums, bf16);
    }
}

/* The backward pass of `attend`; adds to d_x. `sums_qkv`, zero at first, sums for each block the biases' gradients. */
INLINE void attend_backward(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden, block_sums = 3 * hidden;
    word *end = l->factors;
    const void *inputs = bf16 ? l->xb : l->x;
    const WeightGradient weights =
        weight_gradient(l->d_qkv, block_sums, inputs, hidden, tokens, l->g_qkv, l->sums_qkv, block_sums, &end, bf16);
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
                    panels_of(l->v_qkv, hidden, 3 * hidden, bf16), bf16, add_to(d_x + i * hidden + j, v));
            pack_factors(&weights, block, first, rows, bf16);
        }
        multiply_all(&weights, 1, l->sums_qkv, blocks_of(tokens), block_sums, bf16);
    }
}

/* The number of blocks of `rows` rows, and so of their sums. */
int64_t count_blocks(int64_t rows) { return blocks_of(rows); }

/* Some rows of a weight matrix, (rows, columns): the rows from `first` on of `total` rows. */
typedef struct {
    const float *weights;
    int64_t rows, columns, first, total;
    word *forward, *backward; /* where to pack them for each pass; backward may be NULL */
} WeightRows;

/* Pack 16 rows from `row` on. */
INLINE void pack_rows(const WeightRows *p, int64_t row, const int bf16) {
    int64_t per_word = bf16 ? 2 : 1, depth = p->columns / per_word, total_depth = p->total / per_word;
    int64_t row_in_matrix = p->first + row;
    const float *from = p->weights + row * p->columns;
    const void *lines = from;
    if (bf16) {
        lines = scratch(2 * 16 * p->columns);
        for (int64_t i = 0; i < 16 * p->columns; i += 16) put((void *)lines, i, get(from, i, 0), 1);
    }
    word *forward = p->forward + row_in_matrix / PANEL * PANEL * depth + row_in_matrix % PANEL;
    transpose_rows(lines, depth, 16, depth, forward, PANEL);
    if (p->backward)
        for (int64_t r = 0; r < 16; r += per_word)
            for (int64_t c = 0; c < p->columns; c += 16) {
                word *panel = p->backward + c / PANEL * PANEL * total_depth;
                _mm512_storeu_si512(panel + (row_in_matrix + r) / per_word * PANEL + c % PANEL,
                                    interleave16(at(lines, r * p->columns, bf16), p->columns, 1, c, bf16));
            }
}

/* Pack rows of weights for the products of both passes. */
void pack(const WeightRows *weights, int64_t count, int64_t bf16, int64_t threads) {
#pragma omp parallel num_threads(threads)
    for (int64_t number = 0; number < count; number++) {
#pragma omp for schedule(dynamic) nowait
        for (int64_t row = 0; row < weights[number].rows; row += 16)
            if (bf16) pack_rows(weights + number, row, 1);
            else pack_rows(weights + number, row, 0);
    }
}

#define ENTRY(NAME, FUNCTION)                                                                                       \
    void NAME(const Layer *l) {                                                                                     \
        if (l->bf16) FUNCTION(l, 1);                                                                                \
        else FUNCTION(l, 0);                                                                                        \
    }
ENTRY(attention, attend)
ENTRY(feed_forward, feed)
ENTRY(feed_forward_backward, feed_backward)
ENTRY(attention_backward, attend_backward)
