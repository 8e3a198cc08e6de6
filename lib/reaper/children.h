/* SPDX-License-Identifier: MIT */
/* Lists of process numbers. Reads the kernel's list of the first thread's children. */
#ifndef IDM_REAPER_CHILDREN_H
#define IDM_REAPER_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct idm_numbers {
	pid_t *pids; /* ascending */
	size_t n;
};

#define AUTO_NUMBERS __attribute__((cleanup(idm_numbers_free)))
void idm_numbers_free(struct idm_numbers *numbers);

int idm_numbers_append(struct idm_numbers *numbers, pid_t pid);
void idm_numbers_sort(struct idm_numbers *numbers);
bool idm_numbers_have(const struct idm_numbers *numbers, pid_t pid); /* requires a sorted list */

/*
 * Opens the list in this procfs; reads it from its beginning, sorted. -ENOENT: the kernel has no list.
 */
int idm_children_open(int proc);
int idm_children_list(int list, struct idm_numbers *children);

#endif
