// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "test.h"

struct snapshot {
	unsigned int what;
	char **lines;
	size_t n;
	char *text;
	int fds; /* /proc/self/fd, from when /proc could still be trusted; not listed */
};

static void add(struct snapshot *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct snapshot *s, const char *format, ...)
{
	va_list args;

	if (!(s->n & (s->n - 1))) /* a power of two: all are in use */
		s->lines = reallocarray(s->lines, s->n ? 2 * s->n : 1, sizeof(*s->lines));
	assert_non_null(s->lines);
	va_start(args, format);
	must(vasprintf(&s->lines[s->n++], format, args));
	va_end(args);
}

static void add_fds(struct snapshot *s)
{
	DIR *dir = fdopendir((int)must(openat(s->fds, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
	char target[256];

	for (struct dirent *d; (d = readdir(dir));) {
		ssize_t n = readlinkat(s->fds, d->d_name, target, sizeof(target));
		int fd = atoi(d->d_name);

		if (n >= 0 && d->d_name[0] != '.' && fd != s->fds && fd != dirfd(dir))
			add(s, "fd %s -> %.*s", d->d_name, (int)n, target);
	}
	closedir(dir);
}

/* Calls `each` for every child. The number is the child's as long as we do not reap it. */
static void each_child(void (*each)(pid_t pid, const char *name, char state, void *data), void *data)
{
	DIR *dir = opendir("/proc");
	char path[300], stat[512];

	assert_non_null(dir);
	for (struct dirent *d; (d = readdir(dir));) {
		char *end, *start;
		int fd, parent;
		char state;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		fd = d->d_name[0] >= '1' && d->d_name[0] <= '9' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
		if (fd >= 0)
			close(fd);
		stat[n < 0 ? 0 : n] = '\0';
		/* "pid (name) state parent …": a name may hold anything, so look from its end */
		start = strchr(stat, '(');
		end = strrchr(stat, ')');
		if (start && end && sscanf(end + 1, " %c %d", &state, &parent) == 2 &&
		    parent == getpid()) {
			*end = '\0';
			each(atoi(d->d_name), start + 1, state, data);
		}
	}
	closedir(dir);
}

static void add_child(pid_t pid, const char *name, char state, void *s)
{
	add(s, "child %d (%s) %s", (int)pid, name, state == 'Z' ? "zombie" : "running");
}

static void add_mounts(struct snapshot *s)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0)
		add(s, "mount %s", strtok(line, "\n"));
	free(line);
	fclose(file);
}

static void add_file(struct snapshot *s, const FTSENT *e)
{
	const struct stat *st = e->fts_statp;
	char link[PATH_MAX] = "";

	if (e->fts_info == FTS_DP) /* the second visit to a directory */
		return;
	if (e->fts_info == FTS_DNR || e->fts_info == FTS_NS || e->fts_info == FTS_ERR) {
		add(s, "file %s: %s", e->fts_path, strerror(e->fts_errno));
		return;
	}
	if (e->fts_info == FTS_SL)
		must(readlink(e->fts_accpath, link, sizeof(link) - 1));
	add(s, "file %s %o %u:%u %lld %s", e->fts_path, st->st_mode, st->st_uid, st->st_gid,
	    S_ISREG(st->st_mode) ? (long long)st->st_size : 0, link);
}

/* Whether another filesystem is mounted here whose files the kernel makes up: they come and go. */
static bool is_made_up(const FTSENT *e)
{
	struct statfs fs;

	if (e->fts_info != FTS_D || e->fts_dev == e->fts_parent->fts_dev ||
	    statfs(e->fts_accpath, &fs) < 0)
		return false;
	return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	       fs.f_type == CGROUP2_SUPER_MAGIC;
}

static void add_files(struct snapshot *s)
{
	char top[] = SCRATCH, *paths[] = { top, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	assert_non_null(fts);
	for (FTSENT *e; (e = fts_read(fts));) {
		add_file(s, e);
		if (is_made_up(e))
			fts_set(fts, e, FTS_SKIP);
	}
	fts_close(fts);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void fill(struct snapshot *s)
{
	if (s->what & SNAPSHOT_FDS)
		add_fds(s);
	if (s->what & SNAPSHOT_PROCESSES)
		each_child(add_child, s);
	if (s->what & SNAPSHOT_MOUNTS)
		add_mounts(s);
	if (s->what & SNAPSHOT_FILES)
		add_files(s);
	if (s->n)
		qsort(s->lines, s->n, sizeof(*s->lines), by_text);
}

struct snapshot *snapshot_take(unsigned int what)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->what = what;
	s->fds = -1;
	if (what & SNAPSHOT_FDS)
		s->fds = (int)must(open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
	fill(s);
	return s;
}

static void add_text(char **text, const char *sign, const char *line)
{
	char *more;

	must(asprintf(&more, "%s%s%s\n", *text ? *text : "", sign, line));
	free(*text);
	*text = more;
}

/* "+ what is new" and "- what is gone"; NULL if nothing is. Both are sorted. */
static char *difference(const struct snapshot *before, const struct snapshot *after)
{
	char *text = NULL;
	size_t b = 0, a = 0;

	while (b < before->n || a < after->n) {
		int order = b == before->n  ? 1
			    : a == after->n ? -1
					    : strcmp(before->lines[b], after->lines[a]);

		if (order < 0)
			add_text(&text, "- ", before->lines[b]);
		else if (order > 0)
			add_text(&text, "+ ", after->lines[a]);
		b += order <= 0;
		a += order >= 0;
	}
	return text;
}

static void free_lines(struct snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->lines[i]);
	free(s->lines);
}

void snapshot_assert_same(struct snapshot *before)
{
	struct snapshot after = { .what = before->what, .fds = before->fds };
	char *changed;

	fill(&after);
	changed = difference(before, &after);
	if (changed)
		fail_msg("not as before:\n%s", changed);
	free_lines(&after);
	snapshot_free(before);
}

size_t snapshot_lines(const struct snapshot *s)
{
	return s->n;
}

const char *snapshot_text(const struct snapshot *s)
{
	struct snapshot *writable = (struct snapshot *)s;

	if (s->text)
		return s->text;
	for (size_t i = 0; i < s->n; i++)
		add_text(&writable->text, "", s->lines[i]);
	return s->text ? s->text : "";
}

void snapshot_free(struct snapshot *s)
{
	if (s->fds >= 0)
		close(s->fds);
	free_lines(s);
	free(s->text);
	free(s);
}

static void kill_child(pid_t pid, const char *name, char state, void *any)
{
	(void)name;
	(void)state;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	*(bool *)any = true;
}

static void reap_forkserver(pid_t pid, const char *name, char state, void *unused)
{
	(void)unused;
	if (state == 'Z' && strcmp(name, "idm-forkserver") == 0)
		waitpid(pid, NULL, WNOHANG);
}

void snapshot_reap_forkservers(void)
{
	each_child(reap_forkserver, NULL);
}

bool snapshot_kill_children(void)
{
	bool any = false;

	each_child(kill_child, &any);
	return any;
}
