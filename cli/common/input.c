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

int load_file(const char *file, char **text, size_t *length)
{
	int fd = is_input(file) ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : idm_read_file(fd, IDM_READ_FILE_MOST, text, length);

	if (fd >= 0 && !is_input(file))
		close(fd);
	if (r < 0)
		*text = NULL;
	return r;
}

int report_unread_file(const char *file, int code)
{
	if (code == -EFBIG)
		return report_failure("%s: read: expected at most %lu bytes", input_name(file),
				      IDM_READ_FILE_MOST);
	return report_failure("%s: read: %s", input_name(file), strerror(-code));
}

int read_file(const char *file, char **text, size_t *length)
{
	int r = load_file(file, text, length);

	return r < 0 ? report_unread_file(file, r) : DONE;
}
