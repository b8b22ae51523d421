/* A BERT layer, forward and backward, for CPUs with AVX512-BF16; see cpu_layer.py for what it computes.

Matrix products run on registers of 16 words of 32 bits. A word is one number in fp32 and a pair of neighbours in bf16,
so that one inner loop serves both: what differs is only the instruction that multiplies words and adds to fp32. What
follows a product (bias, GELU, residual, dropout, column sums) is done to each tile of it while that is in the cache.

Rows are sub-words; sizes along them are multiples of 16. Threads take blocks of work as they come free, since another
process may hold up one of them; sums over rows are added block by block, so that threads decide nothing of a result. */

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define TILE 6     /* rows of a tile: with PANEL columns its sums fill 24 of the 32 registers */
#define PANEL 64   /* columns of a tile */
#define BLOCK 96   /* rows that go through a layer together: what they leave on the way stays in the cache */
#define NARROW 512 /* columns up to which gradients in fp32 are not packed */
#define QUERIES 48 /* queries of a sequence that attend together */

typedef uint32_t word;

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
    word *left, *right;
    float *g_qkv, *g_out, *g_up, *g_down;
} Layer;

/* Words between neighbouring panels: an odd number of cache lines, so that they do not share the cache's sets. */
#define APART(WORDS) (((WORDS) / 16 | 1) * 16 + 32)
#define AHEAD(PLACE) _mm_prefetch((const char *)(PLACE), _MM_HINT_T0)

/* ---- numbers ---- */

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t up_to(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
INLINE void *at(const void *p, int64_t i, int bf16) { return (char *)p + (bf16 ? 2 : 4) * i; }

INLINE __m512 get(const void *p, int64_t i, int bf16) {
    if (!bf16) return _mm512_loadu_ps((const float *)p + i);
    __m256i half = _mm256_loadu_si256((const __m256i *)((const uint16_t *)p + i));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

INLINE void put(void *p, int64_t i, __m512 v, int bf16) {
    if (!bf16) _mm512_storeu_ps((float *)p + i, v);
    else _mm256_storeu_si256((__m256i *)((uint16_t *)p + i), (__m256i)_mm512_cvtneps_pbh(v));
}

/* e ** x for x <= 0 and not far above; the polynomial's relative error is 2e-7 on |r| <= ln 2 / 2. */
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

/* GELU and its slope, erf after Abramowitz and Stegun 7.1.26 (error below 1.5e-7), as PyTorch computes it. */
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

/* Which of the 16 values from number i on dropout keeps; i is a multiple of 4. Four 16-bit numbers from each draw of
splitmix64 (Steele, Lea and Flood 2014): a function of seed and number alone. */
INLINE __mmask16 kept(uint64_t seed, int64_t i, int64_t threshold) {
    __m256i steps = _mm256_add_epi64(_mm256_set1_epi64x(i / 4 + 1), _mm256_setr_epi64x(0, 1, 2, 3));
    __m256i z = _mm256_mullo_epi64(steps, _mm256_set1_epi64x(0x9E3779B97F4A7C15));
    z = _mm256_add_epi64(z, _mm256_set1_epi64x(seed));
    z = _mm256_mullo_epi64(_mm256_xor_si256(z, _mm256_srli_epi64(z, 30)), _mm256_set1_epi64x(0xBF58476D1CE4E5B9));
    z = _mm256_mullo_epi64(_mm256_xor_si256(z, _mm256_srli_epi64(z, 27)), _mm256_set1_epi64x(0x94D049BB133111EB));
    z = _mm256_xor_si256(z, _mm256_srli_epi64(z, 31));
    return _mm256_cmpge_epi16_mask(z, _mm256_set1_epi16(threshold));
}

INLINE __m512 dropped(__m512 v, uint64_t seed, int64_t i, double dropout) {
    if (!dropout) return v;
    __mmask16 mask = kept(seed, i, lrint(dropout * 65536) - 32768);
    return _mm512_maskz_mul_ps(mask, v, _mm512_set1_ps(1 / (1 - dropout)));
}

/* The number of a row's first value, which decides what dropout draws for it. */
INLINE int64_t number_of(const Layer *l, int64_t row) { return (l->places ? l->places[row] : row) * l->hidden; }

INLINE void add_to(float *sum, __m512 v) { _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), v)); }

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

/* ---- layouts ---- */

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

/* Words of up to 16 rows as columns: out[p * step + row], for p below count; missing rows are zero. */
static void columns_of(const word *rows, int64_t stride, int64_t present, int64_t count, word *out, int64_t step) {
    for (int64_t p = 0; p < count; p += 16) {
        __m512i r[16];
        __mmask16 mask = count - p < 16 ? (1u << (count - p)) - 1 : 0xffff;
        for (int i = 0; i < 16; i++)
            r[i] = i < present ? _mm512_maskz_loadu_epi32(mask, rows + i * stride + p) : _mm512_setzero_si512();
        transpose16(r);
        for (int i = 0; i < least(16, count - p); i++) _mm512_storeu_si512(out + (p + i) * step, r[i]);
    }
}

/* 16 words of the rows that stand one below the other from `row` on: in bf16 of two, in fp32 of one. */
INLINE __m512i below16(const void *row, int64_t stride, int two, int64_t column, int bf16) {
    if (!bf16) return _mm512_loadu_si512((const float *)row + column);
    const uint16_t *upper = (const uint16_t *)row + column;
    __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)upper));
    if (!two) return first;
    __m512i second = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(upper + stride)));
    return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

/* Weights (rows of `total`, columns), from row `first` on, packed for both directions. */
void pack(const float *weights, int64_t rows, int64_t columns, int64_t first, int64_t total, int64_t bf16,
          word *forward, word *backward) {
    int64_t each = bf16 ? 2 : 1, deep = columns / each, high = total / each;
    uint16_t *line = malloc(2 * columns * sizeof(float) * 16);
    for (int64_t n = 0; n < rows; n += 16) {
        const float *from = weights + n * columns;
        const void *lines = from;
        if (bf16) {
            for (int64_t i = 0; i < 16 * columns; i += 16) put(line, i, get(from, i, 0), 1);
            lines = line;
        }
        int64_t place = first + n;
        columns_of(lines, deep, 16, deep, forward + place / PANEL * PANEL * deep + place % PANEL, PANEL);
        if (backward)
            for (int64_t r = 0; r < 16; r += each)
                for (int64_t c = 0; c < columns; c += 16)
                    _mm512_storeu_si512(
                        backward + c / PANEL * PANEL * high + (place + r) / each * PANEL + c % PANEL,
                        below16(at(lines, r * columns, bf16), columns, 1, c, bf16));
    }
    free(line);
}

/* ---- products ---- */

/* Sums of R x 16 Z products over k words: a row's words lie `next` apart, rows `row` apart. */
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

typedef struct { /* the left factor: m rows of k words, a word's successor `next` on, a row's `row` on */
    const word *words;
    int64_t m, k, row, next;
} Left;

typedef struct { /* the right factor: k rows of n columns, in panels that lie `panel` apart, with rows `row` apart */
    const word *words;
    int64_t n, panel, row;
} Right;

INLINE Left rows_of(const void *rows, int64_t m, int64_t n, int bf16) {
    int64_t k = bf16 ? n / 2 : n;
    return (Left){rows, m, k, k, 1};
}

INLINE Right packed(const word *words, int64_t n, int64_t deep, int bf16) {
    return (Right){words, n, PANEL * (bf16 ? deep / 2 : deep), PANEL};
}

/* What is done with each 16 columns of a product: the last argument, with `v` their sums, `i` their row and `j` their column. */
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

/* ---- attention ---- */

typedef struct {
    word *keys, *values, *below, *queries, *outs; /* of the right factors */
    float *scores, *d_scores, *d_keys, *d_values;
    void *query, *weights, *d_rows;
    word *d_below, *weights_below;
} Attention;

/* Scratch memory for sequences of up to `width` sub-words; the words of fp32 are enough for bf16. */
static Attention scratch(int64_t width, int64_t size) {
    int64_t keys = width * size, scores = QUERIES * width, queries = QUERIES * size;
    float *held = room(4 * (7 * keys + 6 * scores + 3 * queries));
    Attention s;
    s.keys = (word *)held, held += keys;
    s.values = (word *)held, held += keys;
    s.below = (word *)held, held += keys;
    s.d_keys = held, held += keys;
    s.d_values = held, held += keys;
    s.scores = held, held += scores;
    s.d_scores = held, held += scores;
    s.weights = held, held += scores;
    s.d_rows = held, held += scores;
    s.d_below = (word *)held, held += scores;
    s.weights_below = (word *)held, held += scores;
    s.query = held, held += queries;
    s.queries = (word *)held, held += queries;
    s.outs = (word *)held;
    return s;
}

/* `count` rows as a right factor whose words go along the rows: its columns are the rows, `width` of them. */
INLINE void as_columns(const void *rows, int64_t stride, int64_t count, int64_t size, int64_t width, word *out, int bf16) {
    int64_t each = bf16 ? 2 : 1;
    for (int64_t j = 0; j < width; j += 16)
        columns_of(at(rows, j * stride, bf16), stride / each, count - j, size / each, out + j, width);
}

/* `count` rows as a right factor whose words go down the rows; returns how many words deep. */
INLINE int64_t as_rows(const void *rows, int64_t stride, int64_t count, int64_t size, word *out, int bf16) {
    int64_t each = bf16 ? 2 : 1, deep = up_to(count, each) / each;
    for (int64_t p = 0; p < deep; p++)
        for (int64_t c = 0; c < size; c += 16)
            _mm512_storeu_si512(out + p * size + c,
                                below16(at(rows, each * p * stride, bf16), stride, each * p + 1 < count, c, bf16));
    return deep;
}

INLINE __mmask16 within(int64_t n, int64_t j) { return n - j < 16 ? (1u << (n - j)) - 1 : 0xffff; }

static void head_forward(const Layer *l, int64_t begin, int64_t n, int64_t head, const int bf16) {
    int64_t size = l->hidden / l->heads, stride = 3 * l->hidden, width = up_to(n, 16), each = bf16 ? 2 : 1;
    const void *query = at(l->qkv, begin * stride + head * size, bf16);
    const void *key = at(query, l->hidden, bf16), *value = at(query, 2 * l->hidden, bf16);
    void *out = at(l->attended, begin * l->hidden + head * size, bf16);
    Attention s = scratch(width, size);
    float scale = 1 / sqrtf(size), inverse[QUERIES];
    as_columns(key, stride, n, size, width, s.keys, bf16);
    int64_t deep = as_rows(value, stride, n, size, s.values, bf16);
    for (int64_t start = 0; start < n; start += QUERIES) {
        int64_t m = least(QUERIES, n - start);
        Left q = {at(query, start * stride, bf16), m, size / each, stride / each, 1};
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
                put(s.weights, i * width + j, dropped(v, l->seed_weights, number, l->attention_dropout), bf16);
            }
            float total = _mm512_reduce_add_ps(sum);
            inverse[i] = 1 / total;
            if (l->training) l->lse[head * l->tokens + begin + start + i] = largest * scale + logf(total);
        }
        Left weights = {s.weights, m, deep, width / each, 1};
        PRODUCT(weights, ((Right){s.values, size, PANEL, size}), bf16,
                put(out, (start + i) * l->hidden + j, _mm512_mul_ps(v, _mm512_set1_ps(inverse[i])), bf16));
    }
}

static void head_backward(const Layer *l, int64_t begin, int64_t n, int64_t head, const int bf16) {
    int64_t size = l->hidden / l->heads, stride = 3 * l->hidden, width = up_to(n, 16), each = bf16 ? 2 : 1;
    int64_t place = begin * stride + head * size;
    const void *query = at(l->qkv, place, bf16);
    const void *key = at(query, l->hidden, bf16), *value = at(query, 2 * l->hidden, bf16);
    const void *out = at(l->attended, begin * l->hidden + head * size, bf16);
    const void *d_out = at(l->d_attended, begin * l->hidden + head * size, bf16);
    Attention s = scratch(width, size);
    float scale = 1 / sqrtf(size), dots[QUERIES];
    as_columns(key, stride, n, size, width, s.keys, bf16);
    as_columns(value, stride, n, size, width, s.values, bf16);
    int64_t deep = as_rows(key, stride, n, size, s.below, bf16);
    memset(s.d_keys, 0, sizeof(float) * width * size);
    memset(s.d_values, 0, sizeof(float) * width * size);
    for (int64_t start = 0; start < n; start += QUERIES) {
        int64_t m = least(QUERIES, n - start);
        Left q = {at(query, start * stride, bf16), m, size / each, stride / each, 1};
        Left d = {at(d_out, start * l->hidden, bf16), m, size / each, l->hidden / each, 1};
        PRODUCT(q, ((Right){s.keys, width, PANEL, width}), bf16, _mm512_storeu_ps(s.scores + i * width + j, v));
        PRODUCT(d, ((Right){s.values, width, PANEL, width}), bf16, _mm512_storeu_ps(s.d_scores + i * width + j, v));
        for (int64_t i = 0; i < m; i++) {
            __m512 dot = _mm512_setzero_ps();
            for (int64_t c = 0; c < size; c += 16)
                dot = _mm512_fmadd_ps(get(out, (start + i) * l->hidden + c, bf16),
                                      get(d_out, (start + i) * l->hidden + c, bf16), dot);
            dots[i] = _mm512_reduce_add_ps(dot);
        }
        for (int64_t i = 0; i < m; i += each)
            for (int64_t j = 0; j < width; j += 16) {
                __m512 weights[2], d_scores[2];
                for (int64_t r = 0; r < each; r++) {
                    if (i + r == m) {
                        weights[r] = d_scores[r] = _mm512_setzero_ps();
                        continue;
                    }
                    int64_t token = head * l->tokens + begin + start + i + r, number = token * l->width + j;
                    __m512 v = _mm512_mul_ps(_mm512_loadu_ps(s.scores + (i + r) * width + j), _mm512_set1_ps(scale));
                    v = exp16(_mm512_sub_ps(v, _mm512_set1_ps(l->lse[token])));
                    v = _mm512_maskz_mov_ps(within(n, j), v);
                    __m512 g = _mm512_loadu_ps(s.d_scores + (i + r) * width + j);
                    g = dropped(g, l->seed_weights, number, l->attention_dropout);
                    weights[r] = dropped(v, l->seed_weights, number, l->attention_dropout);
                    g = _mm512_mul_ps(v, _mm512_sub_ps(g, _mm512_set1_ps(dots[i + r])));
                    d_scores[r] = _mm512_mul_ps(g, _mm512_set1_ps(scale));
                    put(s.d_rows, (i + r) * width + j, d_scores[r], bf16);
                }
                word *below = s.weights_below + i / each * width + j, *d_below = s.d_below + i / each * width + j;
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
        Left d_rows = {s.d_rows, m, deep, width / each, 1};
        PRODUCT(d_rows, ((Right){s.below, size, PANEL, size}), bf16,
                put(l->d_qkv, place + (start + i) * stride + j, v, bf16));
        int64_t half = as_rows(at(query, start * stride, bf16), stride, m, size, s.queries, bf16);
        as_rows(at(d_out, start * l->hidden, bf16), l->hidden, m, size, s.outs, bf16);
        Left d_below = {s.d_below, n, half, 1, width}, below = {s.weights_below, n, half, 1, width};
        PRODUCT(d_below, ((Right){s.queries, size, PANEL, size}), bf16, add_to(s.d_keys + i * size + j, v));
        PRODUCT(below, ((Right){s.outs, size, PANEL, size}), bf16, add_to(s.d_values + i * size + j, v));
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < size; c += 16) {
            int64_t number = place + l->hidden + i * stride + c;
            put(l->d_qkv, number, _mm512_loadu_ps(s.d_keys + i * size + c), bf16);
            put(l->d_qkv, number + l->hidden, _mm512_loadu_ps(s.d_values + i * size + c), bf16);
        }
}

/* ---- layer norm ---- */

/* Rows of `before` normed: written as numbers, as numbers to multiply, normed alone, and the factor that did it. */
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

/* The gradient of what was normed (d_before; may be d_out) and of what dropout then left of the product in it
(d_product); adds the gradients of gain and shift to sums and sums + hidden. ROWS rows are worked on together. */
#define ROWS 4
INLINE void norm_backward(const Layer *l, int64_t rows, const float *d_out, const float *normed, const float *scale,
                          const float *gain, uint64_t seed, int64_t first, float *d_before, void *d_product,
                          float *sums, const int bf16) {
    int64_t hidden = l->hidden;
    for (int64_t start = 0; start < rows; start += ROWS) {
        int64_t count = least(ROWS, rows - start), place = start * hidden;
        __m512 sum[ROWS], along[ROWS];
        for (int r = 0; r < ROWS; r++) sum[r] = along[r] = _mm512_setzero_ps();
        for (int64_t c = 0; c < hidden; c += 16) {
            __m512 of_gain = _mm512_loadu_ps(sums + c), of_shift = _mm512_loadu_ps(sums + hidden + c);
            __m512 by = _mm512_loadu_ps(gain + c);
#pragma GCC unroll 4
            for (int r = 0; r < ROWS; r++)
                if (r < count) {
                    __m512 d = _mm512_loadu_ps(d_out + place + r * hidden + c);
                    __m512 v = _mm512_loadu_ps(normed + place + r * hidden + c);
                    of_gain = _mm512_fmadd_ps(d, v, of_gain);
                    of_shift = _mm512_add_ps(of_shift, d);
                    d = _mm512_mul_ps(d, by);
                    sum[r] = _mm512_add_ps(sum[r], d);
                    along[r] = _mm512_fmadd_ps(d, v, along[r]);
                }
            _mm512_storeu_ps(sums + c, of_gain);
            _mm512_storeu_ps(sums + hidden + c, of_shift);
        }
        for (int r = 0; r < count; r++) {
            __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum[r]) / hidden);
            __m512 share = _mm512_set1_ps(_mm512_reduce_add_ps(along[r]) / hidden);
            __m512 factor = _mm512_set1_ps(scale[start + r]);
            int64_t drawn = number_of(l, first + start + r);
            for (int64_t c = 0; c < hidden; c += 16) {
                int64_t number = place + r * hidden + c;
                __m512 d = _mm512_mul_ps(_mm512_loadu_ps(d_out + number), _mm512_loadu_ps(gain + c));
                d = _mm512_sub_ps(d, _mm512_fmadd_ps(_mm512_loadu_ps(normed + number), share, mean));
                d = _mm512_mul_ps(d, factor);
                _mm512_storeu_ps(d_before + number, d);
                put(d_product, number, dropped(d, seed, drawn + c, l->dropout), bf16);
            }
        }
    }
}

/* ---- the layer ---- */

INLINE void cast(const float *from, void *to, int64_t count, int bf16) {
    for (int64_t i = 0; i < count; i += 16) put(to, i, get(from, i, 0), bf16);
}

#define BIASED(BIAS) _mm512_add_ps(v, _mm512_loadu_ps((BIAS) + j))

INLINE void attend_forward(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < tokens; first += BLOCK) {
            int64_t rows = least(BLOCK, tokens - first);
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
        for (int64_t first = 0; first < l->rows; first += BLOCK) {
            int64_t rows = least(BLOCK, l->rows - first), place = first * hidden;
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

/* The gradient (m, n) of weights, from that of their outputs (tokens, m) and their inputs (tokens, n), and that of the
bias, whose part from every block of rows goes to `sums`, one `step` after the other. Called by all threads of a
region. */
INLINE void weight_gradient(const Layer *l, int64_t rows, const void *d, int64_t m, const void *inputs, int64_t n, float *gradient,
                            float *sums, int64_t step, const int bf16) {
    __m512i ones = bf16 ? _mm512_set1_epi32(0x3f803f80) : _mm512_set1_epi32(0x3f800000);
    int64_t each = bf16 ? 2 : 1, deep = up_to(rows, each) / each, groups = up_to(m, TILE) / TILE;
    int64_t left_step = APART(TILE * deep), right_step = APART(PANEL * deep);
    int as_it_is = !bf16 && m <= NARROW; /* words are numbers, near enough to each other to be read where they are */
#pragma omp for schedule(dynamic)
    for (int64_t first = 0; first < rows; first += BLOCK) {
        float *sum = sums + first / BLOCK * step;
        for (int64_t p = first / each; p < least(deep, (first + BLOCK) / each); p++) {
            if (as_it_is) {
                for (int64_t c = 0; c < m; c += 16) add_to(sum + c, get(d, p * m + c, 0));
                continue;
            }
            int two = each * p + 1 < rows;
            word *line = room(4 * (m + 16));
            for (int64_t c = 0; c < m; c += 16) {
                __m512i words = below16(at(d, each * p * m, bf16), m, two, c, bf16);
                __m512 so_far = _mm512_loadu_ps(sum + c);
                _mm512_storeu_ps(sum + c, bf16 ? PAIRS(so_far, words, ones) : SINGLE(so_far, words, ones));
                _mm512_storeu_si512(line + c, words);
            }
            for (int64_t g = 0; g < groups; g++) {
                word *to = l->left + g * left_step + p * TILE;
                _mm_storeu_si128((__m128i *)to, _mm_loadu_si128((__m128i *)(line + g * TILE)));
                _mm_storel_epi64((__m128i *)(to + 4), _mm_loadl_epi64((__m128i *)(line + g * TILE + 4)));
            }
            for (int64_t c = 0; c < n; c += 16)
                _mm512_storeu_si512(l->right + c / PANEL * right_step + p * PANEL + c % PANEL,
                                    below16(at(inputs, each * p * n, bf16), n, two, c, bf16));
        }
    }
    int64_t blocks = up_to(groups, BLOCK / TILE) / (BLOCK / TILE), panels = up_to(n, PANEL) / PANEL;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < blocks * panels; task++) {
        int64_t column = task / blocks * PANEL, start = task % blocks * BLOCK, stop = least(m, start + BLOCK);
        Right right = {l->right + column / PANEL * right_step, least(PANEL, n - column), 0, PANEL};
        if (as_it_is) right.words = (const word *)inputs + column, right.row = n;
        for (int64_t row = start; row < stop; row += TILE) {
            Left left = {l->left + row / TILE * left_step, least(TILE, stop - row), deep, 1, TILE};
            if (as_it_is) left.words = (const word *)d + row, left.next = m;
            PRODUCT(left, right, bf16, _mm512_storeu_ps(gradient + (row + i) * n + column + j, v));
        }
    }
}

/* Let the first block's part of what every block of rows has summed become the sum over all. */
INLINE void join(float *sums, int64_t rows, int64_t each) {
#pragma omp for schedule(dynamic)
    for (int64_t c = 0; c < each; c += 16)
        for (int64_t block = 1; block < up_to(rows, BLOCK) / BLOCK; block++)
            add_to(sums + c, _mm512_loadu_ps(sums + block * each + c));
}

/* `sums`, zero before, holds for each block its part of the gradients of gain and shift of the last norm and of the
first, and of the biases of out, down and up. */
INLINE void feed_forward_backward(const Layer *l, const int bf16) {
    int64_t hidden = l->hidden, inner = l->inner, each = 6 * hidden + inner;
#pragma omp parallel num_threads(l->threads)
    {
        float *biases = l->sums + 4 * hidden;
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < l->rows; first += BLOCK) {
            int64_t rows = least(BLOCK, l->rows - first), place = first * hidden;
            float *d_y = room(4 * BLOCK * hidden), *sums = l->sums + first / BLOCK * each;
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
        }
        weight_gradient(l, l->rows, l->d_added, hidden, l->picked, hidden, l->g_out, biases, each, bf16);
        weight_gradient(l, l->rows, l->d_down, hidden, l->active, inner, l->g_down, biases + hidden, each, bf16);
        weight_gradient(l, l->rows, l->d_up, inner, l->yb, hidden, l->g_up, biases + 2 * hidden, each, bf16);
        join(l->sums, l->rows, each);
    }
}

/* Adds to d_x what comes through attention; `sums_qkv`, zero before, holds for each block its part of the
biases' gradients. */
INLINE void attend_backward(const Layer *l, const int bf16) {
    int64_t tokens = l->tokens, hidden = l->hidden, each = 3 * hidden;
#pragma omp parallel num_threads(l->threads)
    {
#pragma omp for schedule(dynamic)
        for (int64_t task = 0; task < l->sequences * l->heads; task++) {
            int64_t sequence = task / l->heads, begin = l->starts[sequence];
            head_backward(l, begin, l->starts[sequence + 1] - begin, task % l->heads, bf16);
        }
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < tokens; first += BLOCK) {
            int64_t rows = least(BLOCK, tokens - first);
            float *d_x = l->d_x + first * hidden;
            PRODUCT(rows_of(at(l->d_qkv, first * 3 * hidden, bf16), rows, 3 * hidden, bf16),
                    packed(l->v_qkv, hidden, 3 * hidden, bf16), bf16, add_to(d_x + i * hidden + j, v));
        }
        weight_gradient(l, tokens, l->d_qkv, 3 * hidden, bf16 ? l->xb : l->x, hidden, l->g_qkv, l->sums_qkv, each,
                        bf16);
        join(l->sums_qkv, tokens, each);
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
