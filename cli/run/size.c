// SPDX-License-Identifier: MIT
/* The limit of memory for the changes of --ephemeral. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "cli/common/report.h"
#include "run.h"

/* Returns false if the size is too large, or not known. */
static bool scale_percent(uint64_t *n)
{
	struct sysinfo info;

	if (*n > 100 || sysinfo(&info) < 0)
		return false;
	*n *= (uint64_t)info.totalram * info.mem_unit / 100;
	return true;
}

static bool scale(uint64_t *n, unsigned int shift)
{
	if (*n > (uint64_t)INT64_MAX >> shift)
		return false;
	*n <<= shift;
	return true;
}

static bool apply_unit(uint64_t *n, char unit)
{
	switch (unit) {
	case '\0':
		return scale(n, 0);
	case 'k':
	case 'K':
		return scale(n, 10);
	case 'm':
	case 'M':
		return scale(n, 20);
	case 'g':
	case 'G':
		return scale(n, 30);
	case '%':
		return scale_percent(n);
	default:
		return false;
	}
}

int run_parse_size(struct run_request *q, const char *text)
{
	size_t digits = strspn(text, "0123456789");

	errno = 0;
	q->size = strtoull(text, NULL, 10);
	/* For a tmpfs 0 means no limit. */
	if (digits == 0 || errno || (text[digits] && text[digits + 1]) ||
	    !apply_unit(&q->size, text[digits]) || q->size == 0)
		return report_usage("--size %s: expected BYTES, with K, M or G, or 1%% to 100%%", text);
	return DONE;
}

/* Without --size the kernel's own: half of the memory, and an inode for each page of that. */
size_t run_size_options(const struct run_request *q, struct run_size_options *o)
{
	const uint64_t inodes = q->size / 4096, least = 1024;

	if (!q->size)
		return 0;
	snprintf(o->size, sizeof(o->size), "size=%" PRIu64, q->size);
	snprintf(o->inodes, sizeof(o->inodes), "nr_inodes=%" PRIu64, inodes > least ? inodes : least);
	return 2;
}
