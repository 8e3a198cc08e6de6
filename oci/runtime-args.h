/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_RUNTIME_ARGS_H
#define IDM_OCI_RUNTIME_ARGS_H

#include <stdbool.h>

/* The facts about the bundle in the arguments of create, run or restore. */
struct oci_words {
	const char *bundle; /* "." where none is named */
	bool help;	    /* only the runtime's help is asked for */
	/* Of a word that this front does not understand. */
	const char *wrong;
	const char *reason;
};

/*
 * Returns false if a word is wrong. Runtimes differ in their options, and some accept abbreviations. A
 * front that guesses could make another bundle ready than the one that the runtime runs.
 */
bool read_oci_words(char **words, struct oci_words *read);

#endif
