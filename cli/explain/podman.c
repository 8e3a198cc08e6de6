// SPDX-License-Identifier: MIT
/* podman's own option for a mapped volume requires no idmount: crun maps it, for root's podman. runc
 * before 1.2 ignores it in silence. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/base/read-file.h"
#include "lib/sys/syscall.h"
#include "engine.h"
#include "process-file.h"
#include "subject.h"

#define CGROUP_MOST 65536
#define SCOPE "libpod-"
#define ID_LENGTH 64

/* Returns whether it is known who made the user namespace of the process. */
static bool find_userns_owner(pid_t pid, uid_t *owner)
{
	AUTO_CLOSE int userns = open_process_file(pid, "ns/user", O_RDONLY);

	return pid && userns >= 0 && idm_sys_ioctl(userns, IDM_NS_GET_OWNER_UID, owner) == 0;
}

bool is_container_of_root(pid_t pid)
{
	uid_t owner;

	return find_userns_owner(pid, &owner) && owner == 0;
}

/* The caller can be in the same user namespace, which another program has made. */
static bool is_in_own_userns(pid_t pid)
{
	AUTO_CLOSE int userns = open_process_file(pid, "ns/user", O_RDONLY);
	struct stat own, other;

	return stat("/proc/self/ns/user", &own) == 0 && fstat(userns, &other) == 0 &&
	       own.st_ino == other.st_ino;
}

bool is_rootless_container(pid_t pid)
{
	uid_t owner, own = geteuid();

	return own != 0 && find_userns_owner(pid, &owner) && owner == own && !is_in_own_userns(pid);
}

/* podman names the control group by the ID of the container. */
static bool read_cgroup_id(pid_t pid, char id[ID_LENGTH + 1])
{
	AUTO_CLOSE int fd = open_process_file(pid, "cgroup", O_RDONLY);
	AUTO_FREE char *text = NULL;
	const char *scope;
	size_t n;

	if (!pid || fd < 0 || idm_read_file(fd, CGROUP_MOST, &text, &n) < 0)
		return false;
	scope = strstr(text, SCOPE);
	if (!scope)
		return false;
	scope += strlen(SCOPE);
	snprintf(id, ID_LENGTH + 1, "%s", scope);
	return strspn(scope, "0123456789abcdef") == ID_LENGTH;
}

static bool has_podman_id(const struct subject *s)
{
	char id[ID_LENGTH + 1];

	return s->is_podmans || read_cgroup_id(s->pid, id);
}

bool is_in_podman(const struct subject *s)
{
	return s->pid && is_container_of_root(s->pid) && has_podman_id(s);
}

bool is_in_own_podman(const struct subject *s)
{
	return s->pid && is_rootless_container(s->pid) && has_podman_id(s);
}

/* In a template of Go. */
static bool is_free_of_templates(const char *text)
{
	return !strpbrk(text, "\"\\{}\n");
}

/* Writes one line, which may be empty: nothing, or no answer. */
static void ask_podman(const struct subject *s, const char *format, char *text, size_t size)
{
	char id[ID_LENGTH + 1] = "";
	const char *argv[] = { "podman",   "container", "inspect",
			       "--format", format,	s->is_podmans ? s->container : id,
			       NULL };

	if ((s->is_podmans || read_cgroup_id(s->pid, id)) && run_engine(argv, -1, text, size) > 0)
		text[strcspn(text, "\n")] = '\0';
	else
		*text = '\0';
}

bool has_podman_runc(const struct subject *s)
{
	char runtime[256];
	const char *slash;

	ask_podman(s, "{{.OCIRuntime}}", runtime, sizeof(runtime));
	slash = strrchr(runtime, '/');
	return strcmp(slash ? slash + 1 : runtime, "runc") == 0;
}

/* "[podman run --userns=auto …]". A container that other programs made has no such command. */
bool has_automatic_userns(const struct subject *s)
{
	char command[4096];

	ask_podman(s, "{{.Config.CreateCommand}}", command, sizeof(command));
	return strstr(command, "--userns=auto") || strstr(command, "--userns auto");
}

void find_podman_source(const struct subject *s, const char *destination, char *source, size_t size)
{
	char format[1024];
	int n = snprintf(format, sizeof(format),
			 "{{range .Mounts}}{{if eq .Destination \"%s\"}}{{if .Name}}{{.Name}}{{else}}"
			 "{{.Source}}{{end}}{{end}}{{end}}",
			 destination);

	*source = '\0';
	if (is_free_of_templates(destination) && n > 0 && (size_t)n < sizeof(format))
		ask_podman(s, format, source, size);
	if (!*source)
		snprintf(source, size, "SOURCE");
}
