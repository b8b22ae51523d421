/* The layer norm of some rows, forward and backward. */

#pragma once

#include "layer.h"

/* Apply the layer norm to rows of `before`. Writes the result in fp32 (out) and in the precision of products
(out_words), the rows before gain and shift (normed), and the factors of the normalisation (scale). */
INLINE void norm(const Layer *l, int64_t rows, const float *before, const float *gain, const float *shift, float *out,
                 void *out_words, float *normed, float *scale, const int bf16) {
    int64_t hidden = l->hidden;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = before + i * hidden;
        __m512 sum = _mm512_setzero_ps(), squares = sum;
        for (int64_t c = 0; c < hidden; c += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(row + c));
        __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / hidden);
        for (int64_t c = 0; c < hidden; c += 16) {
            __m512 v = _mm512_sub_ps(_mm512_loadu_ps(row + c), mean);
            squares = _mm512_fmadd_ps(v, v, squares);
        }
        float factor = 1 / sqrtf(_mm512_reduce_add_ps(squares) / hidden + (float)l->eps);
        if (scale) scale[i] = factor;
        for (int64_t c = 0; c < hidden; c += 16) {
            __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(row + c), mean), _mm512_set1_ps(factor));
            if (normed) _mm512_storeu_ps(normed + i * hidden + c, v);
            v = _mm512_fmadd_ps(v, _mm512_loadu_ps(gain + c), _mm512_loadu_ps(shift + c));
            _mm512_storeu_ps(out + i * hidden + c, v);
            if (out_words) put(out_words, i * hidden + c, v, bf16);
        }
    }
}

/* Compute the gradient of the layer norm's input (d_before; it may be d_out), and from it the gradient of the product
before dropout (d_product). Adds the gradients of gain and shift to sums and to sums + hidden. */
#define ROWS 4 /* rows that are computed together */
INLINE void norm_backward(const Layer *l, int64_t rows, const float *d_out, const float *normed, const float *scale,
                          const float *gain, uint64_t seed, int64_t first, float *d_before, void *d_product,
                          float *sums, const int bf16) {
    int64_t hidden = l->hidden;
    for (int64_t start = 0; start < rows; start += ROWS) {
        int64_t count = least(ROWS, rows - start), offset = start * hidden;
        __m512 sum[ROWS], dot[ROWS];
        for (int r = 0; r < ROWS; r++) sum[r] = dot[r] = _mm512_setzero_ps();
        for (int64_t c = 0; c < hidden; c += 16) {
            __m512 of_gain = _mm512_loadu_ps(sums + c), of_shift = _mm512_loadu_ps(sums + hidden + c);
            __m512 gains = _mm512_loadu_ps(gain + c);
#pragma GCC unroll 4
            for (int r = 0; r < ROWS; r++)
                if (r < count) {
                    __m512 d = _mm512_loadu_ps(d_out + offset + r * hidden + c);
                    __m512 v = _mm512_loadu_ps(normed + offset + r * hidden + c);
                    of_gain = _mm512_fmadd_ps(d, v, of_gain);
                    of_shift = _mm512_add_ps(of_shift, d);
                    d = _mm512_mul_ps(d, gains);
                    sum[r] = _mm512_add_ps(sum[r], d);
                    dot[r] = _mm512_fmadd_ps(d, v, dot[r]);
                }
            _mm512_storeu_ps(sums + c, of_gain);
            _mm512_storeu_ps(sums + hidden + c, of_shift);
        }
        for (int r = 0; r < count; r++) {
            __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum[r]) / hidden);
            __m512 share = _mm512_set1_ps(_mm512_reduce_add_ps(dot[r]) / hidden);
            __m512 factor = _mm512_set1_ps(scale[start + r]);
            int64_t value = first_number(l, first + start + r);
            for (int64_t c = 0; c < hidden; c += 16) {
                int64_t number = offset + r * hidden + c;
                __m512 d = _mm512_mul_ps(_mm512_loadu_ps(d_out + number), _mm512_loadu_ps(gain + c));
                d = _mm512_sub_ps(d, _mm512_fmadd_ps(_mm512_loadu_ps(normed + number), share, mean));
                d = _mm512_mul_ps(d, factor);
                _mm512_storeu_ps(d_before + number, d);
                put(d_product, number, with_dropout(d, seed, value + c, l->dropout), bf16);
            }
        }
    }
}
