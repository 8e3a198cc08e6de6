// SPDX-License-Identifier: MIT
/* Lists of process numbers. Reads the kernel's list of the first thread's children. */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/macros.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

void idm_numbers_free(struct idm_numbers *numbers)
{
	free(numbers->pids);
}

static int compare_numbers(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

bool idm_numbers_have(const struct idm_numbers *numbers, pid_t pid)
{
	return numbers->n && bsearch(&pid, numbers->pids, numbers->n, sizeof(pid), compare_numbers);
}

int idm_numbers_append(struct idm_numbers *numbers, pid_t pid)
{
	pid_t *new = idm_array_append(&numbers->pids, &numbers->n, sizeof(pid));

	if (!new)
		return -ENOMEM;
	*new = pid;
	return 0;
}

void idm_numbers_sort(struct idm_numbers *numbers)
{
	if (numbers->n)
		qsort(numbers->pids, numbers->n, sizeof(*numbers->pids), compare_numbers);
}

/* Whether the thread is not about to exit; -errno if its state is unreadable. */
static int is_thread_alive(int tasks, const char *tid)
{
	char name[48], text[512], *end;
	AUTO_CLOSE int fd = -1;
	ssize_t n;

	snprintf(name, sizeof(name), "%.20s/stat", tid);
	fd = idm_procfs_openat(tasks, name, O_RDONLY);
	n = fd < 0 ? fd : idm_sys_read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return n == -ENOENT || n == -ESRCH ? 0 : (int)n;
	text[n] = '\0';
	end = strrchr(text, ')'); /* "tid (name) state …": a name may hold anything */
	return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

struct entry {
	uint64_t inode, offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/*
 * Opens the list of the first living thread. The directory lists threads in the kernel's order, in which
 * the kernel searches for a thread that adopts orphans.
 */
int idm_children_open(int proc)
{
	AUTO_CLOSE int tasks = idm_procfs_openat(proc, "self/task", O_RDONLY | O_DIRECTORY);
	char buf[1024] __attribute__((aligned(8))), name[48];
	ssize_t n = tasks;

	while (n >= 0 && (n = idm_sys_getdents(tasks, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n; p += ((struct entry *)(void *)p)->length) {
			const struct entry *e = (const struct entry *)(void *)p;
			int r = e->name[0] == '.' ? 0 : is_thread_alive(tasks, e->name);

			if (r < 0)
				return r;
			if (r == 0)
				continue;
			snprintf(name, sizeof(name), "%.20s/children", e->name);
			return idm_procfs_openat(tasks, name, O_RDONLY);
		}
	return n < 0 ? (int)n : -ENOENT;
}

/* The end of the buffer may split a number: `pid` is the number so far, or 0 between two numbers. */
static int read_numbers(int fd, struct idm_numbers *numbers)
{
	char buf[4096];
	pid_t pid = 0;
	ssize_t n;
	int r = 0;

	while ((n = idm_sys_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] >= '0' && buf[i] <= '9') {
				pid = 10 * pid + (buf[i] - '0');
				continue;
			}
			r = pid ? idm_numbers_append(numbers, pid) : 0;
			if (r < 0)
				return r;
			pid = 0;
		}
	return (int)n;
}

/*
 * If the child at the read position is reaped during the read, the kernel searches for its position
 * again and can skip others. So one read may miss some: see find_orphans().
 */
int idm_children_list(int list, struct idm_numbers *children)
{
	int r = idm_sys_rewind(list);

	if (r == 0)
		r = read_numbers(list, children);
	idm_numbers_sort(children);
	return r;
}
