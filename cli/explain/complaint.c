// SPDX-License-Identifier: MIT
/* An engine that does not work knows no container. Its last message says why. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "engine.h"

#define MESSAGES_MOST 4096

/* Cuts the end of the line, and returns its beginning. */
static const char *cut_last_line(char *text)
{
	char *end = text + strlen(text), *start;

	while (end > text && end[-1] == '\n')
		*--end = '\0';
	start = strrchr(text, '\n');
	return start ? start + 1 : text;
}

/* "" if the engine is not installed, or succeeds. */
static const char *ask_for_message(const char *engine, const char *id, char text[MESSAGES_MOST])
{
	const char *argv[] = { engine, "container", "inspect", "--format", "{{.State.Pid}}", id, NULL };
	AUTO_CLOSE int fd = memfd_create("messages", MFD_CLOEXEC);
	char answer[64];
	ssize_t n;

	if (fd < 0 || run_engine(argv, fd, answer, sizeof(answer)) != 0)
		return "";
	n = pread(fd, text, MESSAGES_MOST - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return cut_last_line(text);
}

void find_complaint(const char *id, char *text, size_t size)
{
	static const char *const names[] = { "podman", "docker" };
	char messages[MESSAGES_MOST];

	*text = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names) && !*text; i++) {
		const char *message = ask_for_message(names[i], id, messages);

		if (*message && !strcasestr(message, "no such container"))
			snprintf(text, size, "; %s says: %s", names[i], message);
	}
}
