// SPDX-License-Identifier: MIT
#include "standard-fds.h"

#include <errno.h>
#include <string.h>

#include "lib/base/standard-fds.h"
#include "report.h"

int open_standard_fds(void)
{
	int fd = idm_open_standard_fds();

	if (fd < 3)
		return report_failure("/dev/null: open as descriptor %d: %s", fd, strerror(errno));
	return DONE;
}
