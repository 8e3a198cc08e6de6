/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. Each target is a file with one LLVMFuzzerTestOneInput(), linked with
 * libFuzzer and with fuzz.c; what is not as it has to be ends in fuzz_fail(), which libFuzzer takes for
 * a crash and saves the input.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "idmount.h"
#include "lib/base/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

void fuzz_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#define FAIL(...) fuzz_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("not true: %s", #condition))

/* A copy of exactly this length, so that whoever reads behind it is seen; to free(). */
char *bytes_copy(const uint8_t *data, size_t size);

/* The same with a NUL behind it. A NUL inside ends the text, as it would for any caller. */
char *text_copy(const uint8_t *data, size_t size);

/* What holds for every error of the library: `r` is a negative errno, and err says it in words. */
void check_error_at(const char *file, int line, int r, const struct idm_error *err);
#define CHECK_ERROR(r, err) check_error_at(__FILE__, __LINE__, r, err)

/* ---- maps ---- */

static inline void fuzz_free_map(struct idm_map **map)
{
	idm_map_free(*map);
}

#define AUTO_MAP __attribute__((cleanup(fuzz_free_map)))

struct idm_map *empty_map(void);
struct idm_map *map_copy(const struct idm_map *map);
char *map_text(const struct idm_map *map, enum idm_format format, unsigned int kinds); /* to free() */

/* The sides that have entries. */
unsigned int sides_of(const struct idm_map *map);

/*
 * What holds for every map: it is canonical; printed in any dialect and parsed again it is the same, and
 * so it is when it is inverted twice; with its inverse it composes to the identity on its ids.
 */
void check_map(const struct idm_map *map);

/* ---- bytes as numbers ---- */

/* Takes numbers off the input, of which there may be fewer than are wanted: 0 then. */
struct input {
	const uint8_t *at;
	size_t left;
};

uint64_t take_number(struct input *in, size_t bytes);

/* ---- files that are not there ---- */

/* The file's content in memory, as a descriptor that only its owner can write to. */
int memory_file(const void *content, size_t size);

#endif
