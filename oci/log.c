// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json-edit.h"
#include "lib/base/escape.h"
#include "runtime.h"

static void stamp(char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		*buf = '\0';
}

/* The forms are those of runc. */
void oci_log(const char *file, bool json, const char *message)
{
	size_t size = 4 * strlen(message) + 1;
	char *line, *quoted, *shown, when[32];
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		return;
	stamp(when, sizeof(when));
	/*
	 * Escaped as on standard error: a name in it need not be UTF-8, but a string in JSON has to be.
	 */
	shown = malloc(size);
	if (shown)
		idm_escape(shown, size, message);
	quoted = json_quote(shown);
	line = !quoted ? NULL
	       : json  ? text_of("{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n", quoted, when)
		       : text_of("time=\"%s\" level=error msg=%s\n", when, quoted);
	if (!line || write(fd, line, strlen(line)) < 0) {
		/* it is on standard error already */
	}
	close(fd);
	free(shown);
	free(quoted);
	free(line);
}
