// SPDX-License-Identifier: MIT
/*
 * The container's user namespace. It is below that of this process, also for an ordinary user, who is
 * root of one already. So the mounts of this process are locked in the container's namespace. No process
 * of the container has a privilege over this one.
 */
#include <sys/prctl.h>

#include "cli/common/report.h"
#include "run.h"

static int open_userns(const struct idm_map *map, int *userns)
{
	struct idm_error err;

	*userns = idm_userns_open(map, 0, &err);
	return *userns < 0 ? report_error(&err) : DONE;
}

int run_make_userns(const struct run_request *q, int *userns)
{
	return *userns >= 0 ? DONE : open_userns(q->maps.map, userns);
}

int run_finish_userns(const struct run_request *q, int *userns)
{
	int status = run_make_userns(q, userns);

	/* With --no-pid the container sees this process, which runs as the container's root if that is
	 * an ordinary user. Until the map was written, the kernel required it to be dumpable. */
	if (status == DONE)
		prctl(PR_SET_DUMPABLE, 0);
	return status;
}
