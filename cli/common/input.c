// SPDX-License-Identifier: MIT
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/read-file.h"
#include "report.h"

bool is_input(const char *file)
{
	return strcmp(file, "-") == 0;
}

const char *input_name(const char *file)
{
	return is_input(file) ? "standard input" : file;
}

int read_file(const char *file, char **text, size_t *length)
{
	int fd = is_input(file) ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : idm_read_file(fd, IDM_READ_FILE_MOST, text, length);

	if (fd >= 0 && !is_input(file))
		close(fd);
	if (r == 0)
		return DONE;
	*text = NULL;
	if (r == -EFBIG)
		return report_failure("%s: read: expected at most %lu bytes", input_name(file),
				      IDM_READ_FILE_MOST);
	return report_failure("%s: read: %s", input_name(file), strerror(-r));
}
