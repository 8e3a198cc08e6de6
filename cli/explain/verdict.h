/* SPDX-License-Identifier: MIT */
/* A verdict of idm_explain() in words, and the command that cures a refusal. */
#ifndef IDM_CLI_EXPLAIN_VERDICT_H
#define IDM_CLI_EXPLAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "idmount.h"

struct verdict {
	const struct idm_explain_info *place;
	struct idm_explain_options facts; /* those of the place, with the access */
	struct idm_explain_result result;
	pid_t pid; /* 0: the caller */
};

#define VERDICT_TEXT 512

const char *access_word(enum idm_access access, bool is_directory);

/* Writes why the access is refused. */
void describe_refusal(const struct verdict *v, char *text, size_t size);

/*
 * Writes the smallest change that removes the rule, as a command of a shell. False: one command is not
 * enough, or the facts for it are not known. It never permits anything to other users.
 */
bool describe_cure(const struct verdict *v, char *text, size_t size);

/* Returns what one bit IDM_UNSEEN_* means for the verdict. */
const char *unseen_text(uint32_t bit);

#endif
