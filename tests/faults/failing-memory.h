/* SPDX-License-Identifier: MIT */
/*
 * Replaces malloc(3) and its relatives in the program that is linked with this. The replacements count
 * their calls, and one call fails. Sanitizers replace these functions themselves, so nothing fails
 * there.
 */
#ifndef IDM_FAULTS_FAILING_MEMORY_H
#define IDM_FAULTS_FAILING_MEMORY_H

#include <stdbool.h>

struct failing_memory {
	bool counts;
	unsigned long n, nth; /* calls so far, and the call that fails */
	long live;	      /* allocations made while it counts, and not freed */
	bool failed;
};

extern struct failing_memory *memory;

/* From here on memory->counts, and the nth allocation fails, the first one being 0. */
void memory_begin(unsigned long nth);

/*
 * Puts *memory into memory that forked children share with this process. When a child has exited, this
 * process can read the child's counts there. This process allocates nothing while a child runs.
 */
void memory_share(void);

#endif
