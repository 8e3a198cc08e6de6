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

/* Compares one more known word, without regard to case. */
void suggest_word(struct suggestion *s, const char *known);

/* The same for a list that ends with NULL. */
void suggest_words(struct suggestion *s, const char *const *known);

/*
 * Reports "WHERE WORD: unknown KIND" and the suggestion. Without one, it names the document `see`, or
 * nothing if that is NULL. Returns USAGE.
 */
int report_unknown_word(const struct suggestion *s, const char *where, const char *kind, const char *see);

#endif
