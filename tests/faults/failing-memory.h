/* SPDX-License-Identifier: MIT */
/*
 * malloc(3) and its like, replaced in the program that is linked with this: they count, and one of them
 * fails. Not with sanitizers, which have their own.
 */
#ifndef IDM_FAULTS_FAILING_MEMORY_H
#define IDM_FAULTS_FAILING_MEMORY_H

#include <stdbool.h>

struct failing_memory {
	bool counts;
	unsigned long n, nth; /* the one that fails */
	long live;	      /* allocations made while it counts, and not freed */
	bool failed;
};

extern struct failing_memory *memory;

/* From here on memory->counts, and the nth allocation fails, the first one being 0. */
void memory_begin(unsigned long nth);

/*
 * Where *memory is seen by forked children and this process alike: what a child counted and whether
 * it failed is known when the child has ended. Nothing here is allocated while one runs.
 */
void memory_share(void);

#endif
