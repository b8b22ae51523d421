/* Vectors of 16 numbers: load, store, and the functions that a layer computes of each number. `bf16` is 1 for numbers
in bf16 and 0 for fp32; computation is in fp32. */

#pragma once

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
/* The smallest multiple of `step` that is not below `n`. */
INLINE int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
/* The address of number `i`. */
INLINE void *at(const void *p, int64_t i, int bf16) { return (char *)p + (bf16 ? 2 : 4) * i; }

/* A mask of the 16 numbers from j on that are among the first n. */
INLINE __mmask16 within(int64_t n, int64_t j) { return n - j < 16 ? (1u << (n - j)) - 1 : 0xffff; }

INLINE __m512 get(const void *p, int64_t i, int bf16) {
    if (!bf16) return _mm512_loadu_ps((const float *)p + i);
    __m256i half = _mm256_loadu_si256((const __m256i *)((const uint16_t *)p + i));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

INLINE void put(void *p, int64_t i, __m512 v, int bf16) {
    if (!bf16) _mm512_storeu_ps((float *)p + i, v);
    else _mm256_storeu_si256((__m256i *)((uint16_t *)p + i), (__m256i)_mm512_cvtneps_pbh(v));
}

/* e ** x for x <= 0 or little above 0. The polynomial's relative error is 2e-7 for |r| <= ln 2 / 2. */
INLINE __m512 exp16(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-100.0f));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r), _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* GELU and its derivative; erf after Abramowitz and Stegun 7.1.26 (error below 1.5e-7), as PyTorch computes it. */
INLINE void gelu16(__m512 x, __m512 *value, __m512 *slope) {
    __m512 one = _mm512_set1_ps(1.0f), size = _mm512_abs_ps(x);
    __m512 bell = exp16(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5f)));
    __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(size, _mm512_set1_ps(0.3275911f * 0.70710678f), one));
    __m512 p = _mm512_set1_ps(0.5f * 1.061405429f);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.5f * -1.453152027f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.5f * 1.421413741f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.5f * -0.284496736f));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.5f * 0.254829592f));
    __m512 tail = _mm512_mul_ps(_mm512_mul_ps(p, t), bell);
    __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    __m512 share = _mm512_mask_blend_ps(below, _mm512_sub_ps(one, tail), tail);
    *value = _mm512_mul_ps(x, share);
    *slope = _mm512_fmadd_ps(_mm512_mul_ps(x, bell), _mm512_set1_ps(0.39894228f), share);
}

/* A mask of the 16 values that dropout keeps, for the values with the numbers i to i + 15; i is a multiple of 4. Each
draw of splitmix64 (Steele, Lea and Flood 2014) gives four 16-bit numbers. They depend only on the seed and on i. */
INLINE __mmask16 dropout_mask(uint64_t seed, int64_t i, int64_t threshold) {
    __m256i steps = _mm256_add_epi64(_mm256_set1_epi64x(i / 4 + 1), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i z = _mm256_mullo_epi64(steps, _mm256_set1_epi64x(0x9E3779B97F4A7C15));
    z = _mm256_add_epi64(z, _mm256_set1_epi64x(seed));
    z = _mm256_mullo_epi64(_mm256_xor_si256(z, _mm256_srli_epi64(z, 30)), _mm256_set1_epi64x(0xBF58476D1CE4E5B9));
    z = _mm256_mullo_epi64(_mm256_xor_si256(z, _mm256_srli_epi64(z, 27)), _mm256_set1_epi64x(0x94D049BB133111EB));
    z = _mm256_xor_si256(z, _mm256_srli_epi64(z, 31));
    return _mm256_cmpge_epi16_mask(z, _mm256_set1_epi16(threshold));
}

/* Apply dropout to the values with the numbers i to i + 15, and scale those that remain. */
INLINE __m512 with_dropout(__m512 v, uint64_t seed, int64_t i, double dropout) {
    if (!dropout) return v;
    __mmask16 mask = dropout_mask(seed, i, lrint(dropout * 65536) - 32768);
    return _mm512_maskz_mul_ps(mask, v, _mm512_set1_ps(1 / (1 - dropout)));
}

INLINE void add_to(float *sum, __m512 v) { _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), v)); }
