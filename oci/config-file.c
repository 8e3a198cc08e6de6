// SPDX-License-Identifier: MIT
#include "config-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/read-file.h"

int read_config_file(const char *file, enum idm_error_step step, struct config_file *config,
		     struct idm_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), r;

	*config = (struct config_file){ 0 };
	if (fd < 0 || fstat(fd, &config->st) < 0)
		r = -errno;
	else
		r = idm_read_file(fd, IDM_READ_FILE_MOST, &config->text, &config->length);
	if (fd >= 0)
		close(fd);
	if (r == -EFBIG)
		return idm_fail(err, r, step, NULL, "read: expected at most %lu bytes",
				IDM_READ_FILE_MOST);
	return r < 0 ? idm_fail(err, r, step, NULL, "read: %s", strerror(-r)) : 0;
}
