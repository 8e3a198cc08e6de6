// SPDX-License-Identifier: MIT
#include "standard-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "report.h"

/* Read-only: a write to a closed descriptor must fail as before, not succeed without effect. */
int open_standard_fds(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) /* the lowest number */
			return report_failure("/dev/null: open as descriptor %d: %s", fd,
					      strerror(errno));
	return DONE;
}
