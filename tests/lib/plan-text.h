/* SPDX-License-Identifier: MIT */
/* Plans, as tests look at them. */
#ifndef IDM_LIB_PLAN_TEXT_H
#define IDM_LIB_PLAN_TEXT_H

#include "maps.h"

static inline void free_plan(struct idm_plan **plan)
{
	idm_plan_free(*plan);
}

#define AUTO_PLAN __attribute__((cleanup(free_plan)))

struct idm_plan *new_plan(void);

/*
 * What was understood, a line for each mount and one for each thing about it that is not as usual; to
 * free(). Directories are told by their descriptors' numbers only if they are not the working directory.
 */
char *plan_text(const struct idm_plan *plan);

/* A file of the source tree, or any other; to free(). */
char *file_text(const char *path, size_t *length);

/* Reads the text as idm_plan_read() does it with `how`; it has to be understood as these lines. */
void assert_reads_at(const char *file, int line, const char *what, const char *text, size_t length,
		     const struct idm_plan_read_options *how, const char *expected);
#define assert_reads(text, how, expected) assert_reads_at(HERE, #text, text, strlen(text), how, expected)

/* It has to be refused with these lines, message and hint.
 */
void assert_unreadable_at(const char *file, int line, const char *what, const char *text, size_t length,
			  const struct idm_plan_read_options *how, int code, const char *expected);
#define assert_unreadable(text, how, code, expected) \
	assert_unreadable_at(HERE, #text, text, strlen(text), how, code, expected)

#endif
