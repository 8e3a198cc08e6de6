// SPDX-License-Identifier: MIT
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One write(2) a line, so that lines of different processes do not mix. */
static void write_log_line(char *line, size_t size)
{
	size_t n = strnlen(line, size - 1);

	line[n] = '\n';
	(void)!write(STDERR_FILENO, line, n + 1);
}

/* A long map is cut. */
static void print_map(const struct idm_map *map, char *text, size_t size)
{
	ssize_t n = idm_map_print(map, IDM_FORMAT_TEXT, IDM_BOTH, text, size);

	if (n <= 0)
		snprintf(text, size, "(none)");
	else if ((size_t)n >= size)
		memcpy(text + size - 4, "...", 4);
}

/* A path would be the client's word. The device and the inode are the kernel's. */
static void print_tree(const struct tree_facts *tree, char *text, size_t size)
{
	if (tree->inode)
		snprintf(text, size, "%u:%u inode %llu of uid %u", tree->device_major,
			 tree->device_minor, (unsigned long long)tree->inode, tree->owner);
	else
		snprintf(text, size, "(none)");
}

void log_request(const struct ucred *client, const struct tree_facts *tree, const struct idm_map *map,
		 const struct idm_service_reply *reply)
{
	char tree_text[80], map_text[512], line[1024];

	print_tree(tree, tree_text, sizeof(tree_text));
	print_map(map, map_text, sizeof(map_text));
	snprintf(line, sizeof(line), "idmountd: uid %u, pid %d, tree %s, map %s: %s%s", client->uid,
		 (int)client->pid, tree_text, map_text, reply->result < 0 ? "refused: " : "mapped",
		 reply->reason);
	write_log_line(line, sizeof(line));
}

int log_problem(const char *format, ...)
{
	char text[512], line[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(line, sizeof(line), "idmountd: %s", text);
	write_log_line(line, sizeof(line));
	return 1;
}
