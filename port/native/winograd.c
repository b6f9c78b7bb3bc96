/* 3x3 convolution with zero padding, stride 1, float32, on a CPU.
 *
 * Winograd's algorithm F(2x2, 3x3), from its description in Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", CVPR 2016: every 2x2 tile of the output comes from a 4x4 tile of the input. Both kernel and tile are
 * transformed, multiplied in 16 places, summed over the channels, and transformed back: 16 products instead of 36.
 *
 * A job is a strip of up to TILES tiles of one row of tiles. All it needs (its part of the input, 16 products) stays in
 * the second level of the cache. Inside a job the tiles lie side by side, so that every loop over them is one of vectors.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS 3 /* vectors of tiles in a strip */
#if defined(__AVX512F__)
#define LANES 16 /* floats in a vector */
#define GROUP 8  /* output channels at once: times VECTORS 24 sums, 3 inputs and the weights of 32 registers */
#else
#define LANES 8 /* the compiler splits it on machines with shorter ones */
#define GROUP 4 /* 12 sums, 3 inputs and 1 weight are the 16 registers of AVX2 */
#endif
#define TILES (VECTORS * LANES)
#define APART 16 /* floats between the 16 planes, lest all fall into the same lines of the cache */
#define SQUARE 16 /* places of a transformed tile */

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

#if defined(__AVX__)
#define IN_REGISTER(v) __asm__("" : "+v"(v)) /* or GCC loads it again for each of its uses */
#else
#define IN_REGISTER(v) (void)(v)
#endif

static int groups_of(int channels) { return (channels + GROUP - 1) / GROUP; }

static float *floats(size_t count) {
    return aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
}

/* kernels (out, in, 3, 3) -> G g G^T, (16, groups of out, in, GROUP) */
static void transform_kernels(const float *kernels, int out, int in, float *to) {
    size_t plane = (size_t)groups_of(out) * in * GROUP;
    memset(to, 0, SQUARE * plane * sizeof(float)); /* channels that fill up the last group */
#pragma omp parallel for schedule(static)
    for (int o = 0; o < out; o++)
        for (int i = 0; i < in; i++) {
            const float *g = kernels + ((size_t)o * in + i) * 9;
            float *at = to + ((size_t)(o / GROUP) * in + i) * GROUP + o % GROUP;
            float rows[4][3];
            for (int c = 0; c < 3; c++) {
                rows[0][c] = g[c];
                rows[1][c] = 0.5f * (g[c] + g[3 + c] + g[6 + c]);
                rows[2][c] = 0.5f * (g[c] - g[3 + c] + g[6 + c]);
                rows[3][c] = g[6 + c];
            }
            for (int r = 0; r < 4; r++) {
                const float *a = rows[r];
                at[(r * 4 + 0) * plane] = a[0];
                at[(r * 4 + 1) * plane] = 0.5f * (a[0] + a[1] + a[2]);
                at[(r * 4 + 2) * plane] = 0.5f * (a[0] - a[1] + a[2]);
                at[(r * 4 + 3) * plane] = a[2];
            }
        }
}

/* Pixels first, first + 2, ... of a row and those between them, zero outside of it. */
static void split_row(const float *row, int width, int first, float *even, float *odd) {
    if (first >= 0 && first + 2 * (TILES + 1) <= width) {
        for (int t = 0; t < TILES + 1; t++) {
            even[t] = row[first + 2 * t];
            odd[t] = row[first + 2 * t + 1];
        }
        return;
    }
    for (int t = 0; t < TILES + 1; t++) {
        int x = first + 2 * t;
        even[t] = x >= 0 && x < width ? row[x] : 0;
        odd[t] = x + 1 >= 0 && x + 1 < width ? row[x + 1] : 0;
    }
}

/* The strip whose output begins at (y, x) of picture (in, h, w) -> B^T d B, 16 planes (in, TILES) */
static void transform_input(const float *picture, int in, int h, int w, int y, int x, float *to) {
    float d[4][2][TILES + LANES] __attribute__((aligned(64)));
    float rows[4][2][TILES + LANES] __attribute__((aligned(64)));
    size_t plane = (size_t)in * TILES + APART;
    for (int i = 0; i < in; i++) {
        for (int r = 0; r < 4; r++) {
            int from = y - 1 + r;
            if (from < 0 || from >= h)
                memset(d[r], 0, sizeof d[r]);
            else
                split_row(picture + ((size_t)i * h + from) * w, w, x - 1, d[r][0], d[r][1]);
        }
        for (int half = 0; half < 2; half++)
            for (int t = 0; t < TILES + 1; t++) {
                float d0 = d[0][half][t], d1 = d[1][half][t], d2 = d[2][half][t], d3 = d[3][half][t];
                rows[0][half][t] = d0 - d2;
                rows[1][half][t] = d1 + d2;
                rows[2][half][t] = d2 - d1;
                rows[3][half][t] = d1 - d3;
            }
        for (int r = 0; r < 4; r++) {
            const float *even = rows[r][0], *odd = rows[r][1];
            float *at = to + r * 4 * plane + (size_t)i * TILES;
            for (int t = 0; t < TILES; t++) {
                at[t] = even[t] - even[t + 1];
                at[plane + t] = odd[t] + even[t + 1];
                at[2 * plane + t] = even[t + 1] - odd[t];
                at[3 * plane + t] = odd[t] - odd[t + 1];
            }
        }
    }
}

/* One place: kernels (in, GROUP) and inputs (in, TILES) -> sums over the channels (GROUP, TILES), COUNT vectors of them */
#define MULTIPLY(NAME, COUNT)                                                                          \
    static void NAME(const float *kernels, const float *inputs, int in, float *to) {                   \
        vector sums[GROUP][COUNT] = {};                                                                \
        for (int i = 0; i < in; i++, kernels += GROUP, inputs += TILES) {                              \
            vector x[COUNT];                                                                           \
            for (int k = 0; k < COUNT; k++) {                                                          \
                x[k] = *(const vector *)(inputs + k * LANES);                                          \
                IN_REGISTER(x[k]);                                                                     \
            }                                                                                          \
            for (int o = 0; o < GROUP; o++)                                                            \
                for (int k = 0; k < COUNT; k++) sums[o][k] += kernels[o] * x[k];                       \
        }                                                                                              \
        for (int o = 0; o < GROUP; o++)                                                                \
            for (int k = 0; k < COUNT; k++) *(vector *)(to + o * TILES + k * LANES) = sums[o][k];      \
    }
MULTIPLY(multiply1, 1)
MULTIPLY(multiply2, 2)
MULTIPLY(multiply3, 3)
static void (*const multiply[VECTORS])(const float *, const float *, int, float *) = {multiply1, multiply2, multiply3};

/* One channel of a strip: 16 planes of products -> A^T m A + bias, at (y, x) of a picture (h, w), as far as it goes */
static void transform_output(const float *m, size_t plane, float bias, float *picture, int h, int w, int y, int x,
                             int tiles) {
    float rows[2][4][TILES], out[2][2][TILES];
    for (int c = 0; c < 4; c++)
        for (int t = 0; t < TILES; t++) {
            float m0 = m[c * plane + t], m1 = m[(4 + c) * plane + t];
            float m2 = m[(8 + c) * plane + t], m3 = m[(12 + c) * plane + t];
            rows[0][c][t] = m0 + m1 + m2;
            rows[1][c][t] = m1 - m2 - m3;
        }
    for (int r = 0; r < 2; r++)
        for (int t = 0; t < TILES; t++) {
            out[r][0][t] = rows[r][0][t] + rows[r][1][t] + rows[r][2][t] + bias;
            out[r][1][t] = rows[r][1][t] - rows[r][2][t] - rows[r][3][t] + bias;
        }
    int whole = (w - x) / 2 < tiles ? (w - x) / 2 : tiles;
    for (int r = 0; r < 2 && y + r < h; r++) {
        float *to = picture + (size_t)(y + r) * w + x;
        for (int t = 0; t < whole; t++) {
            to[2 * t] = out[r][0][t];
            to[2 * t + 1] = out[r][1][t];
        }
        if (whole < tiles) to[2 * whole] = out[r][0][whole]; /* the last column of an odd width */
    }
}

/* x (n, in, h, w), kernels (out, in, 3, 3), bias (out) -> to (n, out, h, w). 0, or 1 where memory does not suffice */
int conv3x3(const float *x, const float *kernels, const float *bias, float *to, int n, int in, int h, int w,
                    int out) {
    int groups = groups_of(out), across = (w + 1) / 2, down = (h + 1) / 2;
    int vectors = (across + LANES - 1) / LANES, strips = (vectors + VECTORS - 1) / VECTORS, failed = 0;
    size_t in_plane = (size_t)in * TILES + APART, out_plane = (size_t)groups * GROUP * TILES + APART;
    float *u = floats((size_t)SQUARE * groups * in * GROUP);
    if (!u) return 1;
    transform_kernels(kernels, out, in, u);
#pragma omp parallel reduction(| : failed)
    {
        float *v = floats(SQUARE * (in_plane + out_plane)), *m = v + SQUARE * in_plane;
        failed = !v;
#pragma omp for schedule(dynamic, 2) /* MindSpore's own threads may hold a core for a while */
        for (int64_t job = 0; job < (int64_t)n * down * strips; job++) {
            if (failed) continue;
            int strip = job % strips, y = job / strips % down * 2, picture = job / strips / down;
            int first = (int64_t)strip * vectors / strips, count = (int64_t)(strip + 1) * vectors / strips - first;
            int x0 = first * LANES * 2, left = (w - x0 + 1) / 2, tiles = left < count * LANES ? left : count * LANES;
            transform_input(x + (size_t)picture * in * h * w, in, h, w, y, x0, v);
            for (int place = 0; place < SQUARE; place++)
                for (int g = 0; g < groups; g++)
                    multiply[count - 1](u + ((size_t)place * groups + g) * in * GROUP, v + place * in_plane, in,
                                        m + place * out_plane + (size_t)g * GROUP * TILES);
            for (int o = 0; o < out; o++)
                transform_output(m + (size_t)o * TILES, out_plane, bias[o], to + ((size_t)picture * out + o) * h * w,
                                 h, w, y, x0, tiles);
        }
        free(v);
    }
    free(u);
    return failed;
}

/* What MindSpore calls (a custom operator, func_type "aot"): inputs x, kernels and bias, then the output. 0 is success, all else an error there. */
int mindspore_conv3x3(int count, void **data, int *ranks, int64_t **shapes, const char **types, void *stream, void *extra) {
    (void)stream, (void)extra;
    if (count != 4 || ranks[0] != 4 || ranks[1] != 4 || ranks[2] != 1 || ranks[3] != 4) return 2;
    const int64_t *x = shapes[0], *kernels = shapes[1], *to = shapes[3];
    for (int k = 0; k < count; k++)
        if (strcmp(types[k], "float32")) return 3;
    if (kernels[1] != x[1] || kernels[2] != 3 || kernels[3] != 3 || shapes[2][0] != kernels[0]) return 4;
    if (to[0] != x[0] || to[1] != kernels[0] || to[2] != x[2] || to[3] != x[3]) return 5;
    return conv3x3(data[0], data[1], data[2], data[3], x[0], x[1], x[2], x[3], kernels[0]);
}
