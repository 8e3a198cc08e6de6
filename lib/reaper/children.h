/* SPDX-License-Identifier: MIT */
/* Lists of process numbers, and that of the first thread's children. */
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
bool idm_numbers_have(const struct idm_numbers *numbers, pid_t pid); /* they are sorted */

/* Opens the list in this procfs, and reads it from its beginning. -ENOENT: the kernel has no such list.
 */
int idm_children_open(int proc);
int idm_children_list(int list, struct idm_numbers *children);

#endif
