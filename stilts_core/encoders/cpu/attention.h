/* Attention of one head within one sequence, forward and backward. */

#pragma once

#include "layer.h"

#define QUERIES 48 /* queries of a sequence that are computed together */

typedef struct {
    word *keys, *values, *below, *queries, *outs; /* right factors of products */
    float *scores, *d_scores, *d_keys, *d_values;
    void *query, *weights, *d_rows;
    word *d_below, *weights_below;
} Attention;

/* Scratch memory for sequences of up to `width` sub-words. It has the size for fp32, which is enough for bf16. */
static Attention attention_scratch(int64_t width, int64_t size) {
    int64_t keys = width * size, scores = QUERIES * width, queries = QUERIES * size;
    float *next = scratch(4 * (7 * keys + 6 * scores + 3 * queries));
    Attention s;
    s.keys = (word *)next, next += keys;
    s.values = (word *)next, next += keys;
    s.below = (word *)next, next += keys;
    s.d_keys = next, next += keys;
    s.d_values = next, next += keys;
    s.scores = next, next += scores;
    s.d_scores = next, next += scores;
    s.weights = next, next += scores;
    s.d_rows = next, next += scores;
    s.d_below = (word *)next, next += scores;
    s.weights_below = (word *)next, next += scores;
    s.query = next, next += queries;
    s.queries = (word *)next, next += queries;
    s.outs = (word *)next;
    return s;
}

/* Lay out `count` rows as a right factor whose words run along the rows: its `width` columns are the rows. */
INLINE void as_columns(const void *rows, int64_t stride, int64_t count, int64_t size, int64_t width, word *out,
                       int bf16) {
    int64_t per_word = bf16 ? 2 : 1;
    for (int64_t j = 0; j < width; j += 16)
        transpose_rows(at(rows, j * stride, bf16), stride / per_word, count - j, size / per_word, out + j, width);
}

/* Lay out `count` rows as a right factor whose words run down the rows. Returns the number of words down. */
INLINE int64_t as_rows(const void *rows, int64_t stride, int64_t count, int64_t size, word *out, int bf16) {
    int64_t per_word = bf16 ? 2 : 1, depth = round_up(count, per_word) / per_word;
    for (int64_t p = 0; p < depth; p++)
        for (int64_t c = 0; c < size; c += 16)
            _mm512_storeu_si512(out + p * size + c,
                                interleave16(at(rows, per_word * p * stride, bf16), stride, per_word * p + 1 < count,
                                             c, bf16));
    return depth;
}

/* The output of one head for the `n` sub-words of the sequence that begins at row `begin`. */
static void head_forward(const Layer *l, int64_t begin, int64_t n, int64_t head, const int bf16) {
    int64_t size = l->hidden / l->heads, stride = 3 * l->hidden, width = round_up(n, 16), per_word = bf16 ? 2 : 1;
    const void *query = at(l->qkv, begin * stride + head * size, bf16);
    const void *key = at(query, l->hidden, bf16), *value = at(query, 2 * l->hidden, bf16);
    void *out = at(l->attended, begin * l->hidden + head * size, bf16);
    Attention s = attention_scratch(width, size);
    float scale = 1 / sqrtf(size), inverse[QUERIES];
    as_columns(key, stride, n, size, width, s.keys, bf16);
    int64_t depth = as_rows(value, stride, n, size, s.values, bf16);
    for (int64_t start = 0; start < n; start += QUERIES) {
        int64_t m = least(QUERIES, n - start);
        Left q = {at(query, start * stride, bf16), m, size / per_word, stride / per_word, 1};
        PRODUCT(q, ((Right){s.keys, width, PANEL, width}), bf16, _mm512_storeu_ps(s.scores + i * width + j, v));
        for (int64_t i = 0; i < m; i++) {
            float *row = s.scores + i * width;
            __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
            for (int64_t j = 0; j < n; j += 16)
                most = _mm512_mask_max_ps(most, within(n, j), most, _mm512_loadu_ps(row + j));
            float largest = _mm512_reduce_max_ps(most);
            for (int64_t j = 0; j < width; j += 16) {
                __m512 v = _mm512_sub_ps(_mm512_loadu_ps(row + j), _mm512_set1_ps(largest));
                v = _mm512_maskz_mov_ps(within(n, j), exp16(_mm512_mul_ps(v, _mm512_set1_ps(scale))));
                sum = _mm512_add_ps(sum, v);
                int64_t number = (head * l->tokens + begin + start + i) * l->width + j;
                put(s.weights, i * width + j, with_dropout(v, l->seed_weights, number, l->attention_dropout), bf16);
            }
            float total = _mm512_reduce_add_ps(sum);
            inverse[i] = 1 / total;
            if (l->training) l->lse[head * l->tokens + begin + start + i] = largest * scale + logf(total);
        }
        Left weights = {s.weights, m, depth, width / per_word, 1};
        PRODUCT(weights, ((Right){s.values, size, PANEL, size}), bf16,
                put(out, (start + i) * l->hidden + j, _mm512_mul_ps(v, _mm512_set1_ps(inverse[i])), bf16));
    }
}

/* The gradients of queries, keys and values of one head and one sequence. */
static void head_backward(const Layer *l, int64_t begin, int64_t n, int64_t head, const int bf16) {
    int64_t size = l->hidden / l->heads, stride = 3 * l->hidden, width = round_up(n, 16), per_word = bf16 ? 2 : 1;
    int64_t offset = begin * stride + head * size;
    const void *query = at(l->qkv, offset, bf16);
    const void *key = at(query, l->hidden, bf16), *value = at(query, 2 * l->hidden, bf16);
    const void *out = at(l->attended, begin * l->hidden + head * size, bf16);
    const void *d_out = at(l->d_attended, begin * l->hidden + head * size, bf16);
    Attention s = attention_scratch(width, size);
    float scale = 1 / sqrtf(size), dots[QUERIES];
    as_columns(key, stride, n, size, width, s.keys, bf16);
    as_columns(value, stride, n, size, width, s.values, bf16);
    int64_t depth = as_rows(key, stride, n, size, s.below, bf16);
    memset(s.d_keys, 0, sizeof(float) * width * size);
    memset(s.d_values, 0, sizeof(float) * width * size);
    for (int64_t start = 0; start < n; start += QUERIES) {
        int64_t m = least(QUERIES, n - start);
        Left q = {at(query, start * stride, bf16), m, size / per_word, stride / per_word, 1};
        Left d = {at(d_out, start * l->hidden, bf16), m, size / per_word, l->hidden / per_word, 1};
        PRODUCT(q, ((Right){s.keys, width, PANEL, width}), bf16, _mm512_storeu_ps(s.scores + i * width + j, v));
        PRODUCT(d, ((Right){s.values, width, PANEL, width}), bf16, _mm512_storeu_ps(s.d_scores + i * width + j, v));
        for (int64_t i = 0; i < m; i++) {
            __m512 dot = _mm512_setzero_ps();
            for (int64_t c = 0; c < size; c += 16)
                dot = _mm512_fmadd_ps(get(out, (start + i) * l->hidden + c, bf16),
                                      get(d_out, (start + i) * l->hidden + c, bf16), dot);
            dots[i] = _mm512_reduce_add_ps(dot);
        }
        for (int64_t i = 0; i < m; i += per_word)
            for (int64_t j = 0; j < width; j += 16) {
                __m512 weights[2], d_scores[2];
                for (int64_t r = 0; r < per_word; r++) {
                    if (i + r == m) {
                        weights[r] = d_scores[r] = _mm512_setzero_ps();
                        continue;
                    }
                    int64_t token = head * l->tokens + begin + start + i + r, number = token * l->width + j;
                    __m512 v = _mm512_mul_ps(_mm512_loadu_ps(s.scores + (i + r) * width + j), _mm512_set1_ps(scale));
                    v = exp16(_mm512_sub_ps(v, _mm512_set1_ps(l->lse[token])));
                    v = _mm512_maskz_mov_ps(within(n, j), v);
                    __m512 g = _mm512_loadu_ps(s.d_scores + (i + r) * width + j);
                    g = with_dropout(g, l->seed_weights, number, l->attention_dropout);
                    weights[r] = with_dropout(v, l->seed_weights, number, l->attention_dropout);
                    g = _mm512_mul_ps(v, _mm512_sub_ps(g, _mm512_set1_ps(dots[i + r])));
                    d_scores[r] = _mm512_mul_ps(g, _mm512_set1_ps(scale));
                    put(s.d_rows, (i + r) * width + j, d_scores[r], bf16);
                }
                word *below = s.weights_below + i / per_word * width + j;
                word *d_below = s.d_below + i / per_word * width + j;
                if (bf16) {
                    __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(weights[0]));
                    __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(weights[1]));
                    _mm512_storeu_si512(below, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
                    low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(d_scores[0]));
                    high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(d_scores[1]));
                    _mm512_storeu_si512(d_below, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
                } else {
                    _mm512_storeu_ps((float *)below, weights[0]);
                    _mm512_storeu_ps((float *)d_below, d_scores[0]);
                }
            }
        Left d_rows = {s.d_rows, m, depth, width / per_word, 1};
        PRODUCT(d_rows, ((Right){s.below, size, PANEL, size}), bf16,
                put(l->d_qkv, offset + (start + i) * stride + j, v, bf16));
        int64_t query_depth = as_rows(at(query, start * stride, bf16), stride, m, size, s.queries, bf16);
        as_rows(at(d_out, start * l->hidden, bf16), l->hidden, m, size, s.outs, bf16);
        Left d_below = {s.d_below, n, query_depth, 1, width}, below = {s.weights_below, n, query_depth, 1, width};
        PRODUCT(d_below, ((Right){s.queries, size, PANEL, size}), bf16, add_to(s.d_keys + i * size + j, v));
        PRODUCT(below, ((Right){s.outs, size, PANEL, size}), bf16, add_to(s.d_values + i * size + j, v));
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < size; c += 16) {
            int64_t number = offset + l->hidden + i * stride + c;
            put(l->d_qkv, number, _mm512_loadu_ps(s.d_keys + i * size + c), bf16);
            put(l->d_qkv, number + l->hidden, _mm512_loadu_ps(s.d_values + i * size + c), bf16);
        }
}
