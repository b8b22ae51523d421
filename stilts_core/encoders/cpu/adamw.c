/* AdamW (Loshchilov and Hutter 2019) with clipping of the norm of all gradients, in one pass over all parameters. */

#include "vectors.h"

#define PIECE 16384 /* numbers in the unit of work that a thread takes */

typedef struct {
    float *values;
    const float *gradient;
    float *first, *second; /* moments: moving means of the gradient and of its square */
    int64_t size;
    double beta1, beta2, eps;
    double decay;      /* the factor that weight decay leaves of a value */
    double rate;       /* the learning rate, with the bias correction of the first moment */
    double correction; /* the bias correction of the second moment's root */
} Parameter;

INLINE int64_t pieces_in(const Parameter *p) { return round_up(p->size, PIECE) / PIECE; }

/* The number of pieces of all parameters together. */
int64_t count_pieces(const Parameter *parameters, int64_t count) {
    int64_t all = 0;
    for (int64_t number = 0; number < count; number++) all += pieces_in(parameters + number);
    return all;
}

/* The sum of the squares. */
static double squares(const float *values, int64_t size) {
    __m512 sums[4];
    for (int s = 0; s < 4; s++) sums[s] = _mm512_setzero_ps();
    for (int64_t i = 0, s = 0; i < size; i += 16, s = (s + 1) % 4) {
        __m512 v = _mm512_maskz_loadu_ps(within(size, i), values + i);
        sums[s] = _mm512_fmadd_ps(v, v, sums[s]);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])));
}

/* Update values and moments from `start` to `stop`; the gradient is first multiplied by `scale`. */
static void update(const Parameter *p, int64_t start, int64_t stop, float scale) {
    __m512 by = _mm512_set1_ps(scale), rate = _mm512_set1_ps(p->rate), correction = _mm512_set1_ps(p->correction);
    __m512 new1 = _mm512_set1_ps(1 - p->beta1), new2 = _mm512_set1_ps(1 - p->beta2), old2 = _mm512_set1_ps(p->beta2);
    for (int64_t i = start; i < stop; i += 16) {
        __mmask16 mask = within(stop, i);
        __m512 g = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, p->gradient + i), by);
        __m512 first = _mm512_maskz_loadu_ps(mask, p->first + i), second = _mm512_maskz_loadu_ps(mask, p->second + i);
        first = _mm512_fmadd_ps(_mm512_sub_ps(g, first), new1, first);
        second = _mm512_fmadd_ps(_mm512_mul_ps(g, g), new2, _mm512_mul_ps(second, old2));
        __m512 below = _mm512_fmadd_ps(_mm512_sqrt_ps(second), correction, _mm512_set1_ps(p->eps));
        __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, p->values + i), _mm512_set1_ps(p->decay));
        value = _mm512_fnmadd_ps(rate, _mm512_div_ps(first, below), value);
        _mm512_mask_storeu_ps(p->first + i, mask, first);
        _mm512_mask_storeu_ps(p->second + i, mask, second);
        _mm512_mask_storeu_ps(p->values + i, mask, value);
    }
}

/* One step of all parameters. The norm of all gradients together is first clipped to `clip`. `sums` has one number for
each piece; they are added in order, so the number of threads does not change the result. */
void adamw(const Parameter *parameters, int64_t count, double clip, double *sums, int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        int64_t before = 0;
        double sum = 0;
        for (int64_t number = 0; number < count; number++) {
            const Parameter *p = parameters + number;
#pragma omp for schedule(dynamic) nowait
            for (int64_t piece = 0; piece < pieces_in(p); piece++)
                sums[before + piece] = squares(p->gradient + piece * PIECE, least(PIECE, p->size - piece * PIECE));
            before += pieces_in(p);
        }
#pragma omp barrier
        for (int64_t piece = 0; piece < before; piece++) sum += sums[piece];
        double norm = sqrt(sum), scale = norm <= clip ? 1 : clip / norm; /* NaN if the norm is NaN */
        for (int64_t number = 0; number < count; number++) {
            const Parameter *p = parameters + number;
#pragma omp for schedule(dynamic) nowait
            for (int64_t start = 0; start < p->size; start += PIECE)
                update(p, start, least(p->size, start + PIECE), scale);
        }
    }
}
