/* SPDX-License-Identifier: MIT */
#ifndef IDM_OCI_RUNTIME_ARGS_H
#define IDM_OCI_RUNTIME_ARGS_H

#include <stdbool.h>

/* The bundle in the arguments of create, run or restore. */
struct runtime_args {
	const char *bundle; /* "." where none is named */
	bool help;	    /* only the runtime's help is asked for */
	/* An unknown argument. */
	const char *wrong;
	const char *reason;
};

/*
 * Returns false if an argument is wrong. Runtimes differ in their options, and some accept
 * abbreviations. A guess could prepare another bundle than the one that the runtime runs.
 */
bool parse_runtime_args(char **argv, struct runtime_args *args);

#endif
