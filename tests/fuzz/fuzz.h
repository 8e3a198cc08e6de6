/* SPDX-License-Identifier: MIT */
/*
 * Functions for the fuzz targets. Each target is a file with one LLVMFuzzerTestOneInput(), linked with
 * libFuzzer and fuzz.c. A failed check calls fuzz_fail(). libFuzzer handles that as a crash, and saves
 * the input.
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

/* Returns a copy of exactly this length, so that a sanitizer detects reads behind it. Use free(). */
char *bytes_copy(const uint8_t *data, size_t size);

/* The same with a NUL behind it. A NUL inside ends the text, as for every caller. */
char *text_copy(const uint8_t *data, size_t size);

/* Checks an error of the library: `r` is a negative errno, and `err` contains a message. */
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
char *map_text(const struct idm_map *map, enum idm_format format, unsigned int kinds); /* use free() */

/* Returns the sides with entries. */
unsigned int sides_of(const struct idm_map *map);

/*
 * Checks the properties of every map. It is canonical. Printing it in any dialect and parsing the text
 * returns the same map, and so does inverting it twice. Composed with its inverse it is the identity.
 */
void check_map(const struct idm_map *map);

/* ---- bytes as numbers ---- */

/* Reads numbers from the input. After its end they are 0. */
struct input {
	const uint8_t *at;
	size_t left;
};

uint64_t take_number(struct input *in, size_t bytes);

/* ---- files in memory ---- */

/* Returns a descriptor of a file in memory, which only its owner can write to. */
int memory_file(const void *content, size_t size);

#endif
