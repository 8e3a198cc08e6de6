/* SPDX-License-Identifier: MIT */
/* Finds the known word that a mistyped one is meant for. */
#ifndef IDM_CLI_COMMON_SUGGEST_H
#define IDM_CLI_COMMON_SUGGEST_H

/* The search for one word. Begins with `word` alone; `best` is its result, or NULL. */
struct suggestion {
	const char *word;
	const char *best;
	unsigned int distance; /* of `best` */
};

/* Compares one more known word. */
void suggest_word(struct suggestion *s, const char *known);

#endif
