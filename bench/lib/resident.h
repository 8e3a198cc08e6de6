/* SPDX-License-Identifier: MIT */
/*
 * Processes with different amounts of memory resident, which do what they are told. There is one for
 * each size, so that all sizes are measured in turn.
 */
#ifndef IDM_LIB_RESIDENT_H
#define IDM_LIB_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct resident {
	size_t mib;
	int orders, answers;
	bool absent; /* there is not enough memory */
	pid_t pid;
};

/* Pages of 4 KiB, as a heap that has grown over time has them. */
void grow_memory(size_t mib);

/* Whether the machine has too little for it, the page tables of children and all else. */
bool lacks_memory(size_t mib);

/* Starts the process of this size; `once` does what is measured, by its kind. */
void resident_start(struct resident *resident, void (*once)(int kind));

/* Microseconds that one time took, of so many. */
double resident_ask(const struct resident *resident, int kind, int times);

void resident_stop_all(const struct resident *residents, size_t n);

#endif
