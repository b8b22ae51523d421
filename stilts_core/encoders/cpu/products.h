/* Matrix products on registers of 16 words of 32 bits.

A word is one number in fp32, or a pair of neighbours in bf16. One inner loop therefore serves both precisions; only the
instruction that multiplies words and adds the products in fp32 differs. */

#pragma once

#include "vectors.h"

#define TILE 6   /* rows of a tile: with PANEL columns, its sums fill 24 of the 32 registers */
#define PANEL 64 /* columns of a tile */

typedef uint32_t word;

/* Transpose a matrix of 16 x 16 words. */
INLINE void transpose16(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int j = 0; j < 4; j++) {
        t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
        t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xdd);
        t[j + 8] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0x88);
        t[j + 12] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0xdd);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
        r[j + 4] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0x88);
        r[j + 12] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0xdd);
    }
}

/* Transpose the words of up to 16 rows: out[p * step + row], for p below `count`. Rows from `present` on are zero. */
static void transpose_rows(const word *rows, int64_t stride, int64_t present, int64_t count, word *out, int64_t step) {
    for (int64_t p = 0; p < count; p += 16) {
        __m512i r[16];
        __mmask16 mask = count - p < 16 ? (1u << (count - p)) - 1 : 0xffff;
        for (int i = 0; i < 16; i++)
            r[i] = i < present ? _mm512_maskz_loadu_epi32(mask, rows + i * stride + p) : _mm512_setzero_si512();
        transpose16(r);
        for (int i = 0; i < least(16, count - p); i++) _mm512_storeu_si512(out + (p + i) * step, r[i]);
    }
}

/* 16 words that run down the rows, from `row` on: in bf16 each pairs the numbers of two rows (the second is zero
unless `has_second`), in fp32 each is a number of one row. */
INLINE __m512i interleave16(const void *row, int64_t stride, int has_second, int64_t column, int bf16) {
    if (!bf16) return _mm512_loadu_si512((const float *)row + column);
    const uint16_t *upper = (const uint16_t *)row + column;
    __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)upper));
    if (!has_second) return first;
    __m512i second = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(upper + stride)));
    return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

/* A tile of R x 16 Z sums of products over k words. Words in a row of `a` lie `next` apart, its rows `row` apart. */
#define DEFINE_TILE(NAME, R, Z, MULTIPLY)                                                                            \
    static void NAME(float *sums, const word *a, int64_t row, int64_t next, const word *b, int64_t step, int64_t k) { \
        __m512 c[R][Z];                                                                                               \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                                                           \
            _Pragma("GCC unroll 8") for (int z = 0; z < Z; z++) c[r][z] = _mm512_setzero_ps();                        \
        for (int64_t p = 0; p < k; p++, a += next, b += step) {                                                       \
            __m512i bs[Z];                                                                                            \
            _Pragma("GCC unroll 8") for (int z = 0; z < Z; z++) bs[z] = _mm512_loadu_si512(b + 16 * z);               \
            _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                                     \
                __m512i as = _mm512_set1_epi32(a[r * row]);                                                           \
                _Pragma("GCC unroll 8") for (int z = 0; z < Z; z++) c[r][z] = MULTIPLY(c[r][z], as, bs[z]);           \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                                                           \
            _Pragma("GCC unroll 8") for (int z = 0; z < Z; z++) _mm512_storeu_ps(sums + PANEL * r + 16 * z, c[r][z]); \
    }
#define PAIRS(c, a, b) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define SINGLE(c, a, b) _mm512_fmadd_ps((__m512)(a), (__m512)(b), c)
#define DEFINE_TILES(R)                                                                                  \
    DEFINE_TILE(pairs_##R##_1, R, 1, PAIRS) DEFINE_TILE(pairs_##R##_2, R, 2, PAIRS)                      \
    DEFINE_TILE(pairs_##R##_3, R, 3, PAIRS) DEFINE_TILE(pairs_##R##_4, R, 4, PAIRS)                      \
    DEFINE_TILE(single_##R##_1, R, 1, SINGLE) DEFINE_TILE(single_##R##_2, R, 2, SINGLE)                  \
    DEFINE_TILE(single_##R##_3, R, 3, SINGLE) DEFINE_TILE(single_##R##_4, R, 4, SINGLE)
DEFINE_TILES(1) DEFINE_TILES(2) DEFINE_TILES(3) DEFINE_TILES(4) DEFINE_TILES(5) DEFINE_TILES(6)
#define TILES(KIND, R) {KIND##_##R##_1, KIND##_##R##_2, KIND##_##R##_3, KIND##_##R##_4}
#define ALL(KIND) {TILES(KIND, 1), TILES(KIND, 2), TILES(KIND, 3), TILES(KIND, 4), TILES(KIND, 5), TILES(KIND, 6)}
static void (*const tiles[2][TILE][4])(float *, const word *, int64_t, int64_t, const word *, int64_t, int64_t) = {
    ALL(single), ALL(pairs)};

typedef struct { /* the left factor: m rows of k words; words lie `next` apart, rows `row` apart */
    const word *words;
    int64_t m, k, row, next;
} Left;

typedef struct { /* the right factor: k rows of n columns, in panels that lie `panel` apart; rows lie `row` apart */
    const word *words;
    int64_t n, panel, row;
} Right;

/* `m` contiguous rows of `n` numbers as a left factor. */
INLINE Left rows_of(const void *rows, int64_t m, int64_t n, int bf16) {
    int64_t k = bf16 ? n / 2 : n;
    return (Left){rows, m, k, k, 1};
}

/* Packed weights as a right factor of `depth` numbers down and `n` columns. */
INLINE Right panels_of(const word *words, int64_t n, int64_t depth, int bf16) {
    return (Right){words, n, PANEL * (bf16 ? depth / 2 : depth), PANEL};
}

/* Compute a product, and run the last argument for each 16 columns: `v` holds their sums, `i` is their row, `j` their
first column. */
#define PRODUCT(LEFT, RIGHT, BF16, ...)                                                                             \
    do {                                                                                                            \
        Left left_ = LEFT;                                                                                          \
        Right right_ = RIGHT;                                                                                       \
        float sums_[TILE * PANEL] __attribute__((aligned(64)));                                                     \
        for (int64_t j_ = 0; j_ < right_.n; j_ += PANEL) {                                                          \
            int64_t z_ = least(PANEL, right_.n - j_) / 16;                                                          \
            for (int64_t i_ = 0; i_ < left_.m; i_ += TILE) {                                                        \
                int64_t r_ = least(TILE, left_.m - i_);                                                             \
                tiles[BF16][r_ - 1][z_ - 1](sums_, left_.words + i_ * left_.row, left_.row, left_.next,             \
                                            right_.words + j_ / PANEL * right_.panel, right_.row, left_.k);         \
                for (int64_t i = i_; i < i_ + r_; i++)                                                              \
                    for (int64_t j = j_; j < j_ + 16 * z_; j += 16) {                                               \
                        __m512 v = _mm512_load_ps(sums_ + PANEL * (i - i_) + j - j_);                               \
                        __VA_ARGS__;                                                                                \
                    }                                                                                               \
            }                                                                                                       \
        }                                                                                                           \
    } while (0)
