// SPDX-License-Identifier: MIT
/* The limits of the program besides its namespaces, and the notes about missing limits. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/common/report.h"
#include "lib/base/read-file.h"
#include "run.h"

/* It has to be open now: later the number could be that of another file. */
int run_parse_seccomp(struct run_request *q, const char *text)
{
	unsigned long n;

	errno = 0;
	n = strtoul(text, NULL, 10);
	if (!*text || strspn(text, "0123456789") != strlen(text) || errno || n > INT_MAX)
		return report_usage("--seccomp %s: expected the number of a descriptor", text);
	if (q->seccomp)
		return report_usage("--seccomp %s: duplicate option", text);
	if (fcntl((int)n, F_GETFD) < 0)
		return report_usage("--seccomp %s: the descriptor is not open", text);
	q->seccomp = true;
	q->seccomp_fd = (int)n;
	return DONE;
}

/* Signals still kill this process here: the descriptor may be a pipe without data. */
static int read_filter(int fd, int *copy)
{
	char text[BPF_MAXINSNS * sizeof(struct sock_filter) + 1];
	ssize_t n = idm_read_all(fd, text, sizeof(text));

	if (n < 0)
		return report_failure("--seccomp %d: %s", fd, strerror((int)-n));
	*copy = memfd_create("filter", MFD_CLOEXEC);
	if (*copy < 0 || write(*copy, text, (size_t)n) != n || lseek(*copy, 0, SEEK_SET) < 0)
		return report_failure("--seccomp %d: copy it: %s", fd, strerror(errno));
	return DONE;
}

int run_read_seccomp(struct run_request *q)
{
	int fd = q->seccomp_fd;

	return q->seccomp ? read_filter(fd, &q->seccomp_fd) : DONE;
}

/* The container could leave its root through an open directory. */
int run_check_standard_fds(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			return report_usage(
				"descriptor %d is a directory, by which the container would leave "
				"its root",
				fd);
	return DONE;
}

void run_confine(const struct run_request *q, struct idm_child_options *o)
{
	o->flags |= IDM_CHILD_NEW_KEYRING | (q->no_new_privs ? IDM_CHILD_NO_NEW_PRIVS : 0) |
		    (q->keyrings ? 0 : IDM_CHILD_NO_KEYRINGS) |
		    (q->disable_userns ? IDM_CHILD_DISABLE_USERNS : 0);
	o->seccomp_fd = q->seccomp ? q->seccomp_fd : -1;
}

/* The namespace's capabilities do not reach the host, but all that belongs to the host's user 0 does. */
void run_note_host_root(const struct run_request *q)
{
	uint32_t id;

	if (q->rootless)
		return;
	if (idm_map_to_disk(q->maps.map, IDM_UID, 0, &id) == 0) {
		if (id == 0)
			report_note("the container's root is the host's root: the map has 0:0");
		else
			report_note("the container's user %u is the host's root: the map has u:%u:0", id,
				    id);
	} else if (idm_map_to_disk(q->maps.map, IDM_GID, 0, &id) == 0) {
		report_note("the container's group %u is the host's group root: the map has g:%u:0", id,
			    id);
	}
}
