// SPDX-License-Identifier: MIT
/*
 * Lines of uid_map, in the kernel's format. Root also writes every text to the uid_map of a real user
 * namespace. Kernel and library have to accept the same texts, with the same meaning.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "lib/sys/procfs.h"
#include "lib/userns/userns-child.h"

/* ---- the kernel's verdict ---- */

/* A zombie that keeps a user namespace. A refused map does not change that, so the next input reuses it.
 */
static struct idm_userns_child zombie;
static int uid_map = -1;

static bool may_write_maps(void)
{
	static int answer = -1;

	if (answer >= 0)
		return answer;
	answer = geteuid() == 0;
	if (!answer && getenv("IDM_MUST_RUN"))
		FAIL("not root, so the test cannot ask the kernel");
	if (!answer)
		fputs("not root: the test does not ask the kernel\n", stderr);
	return answer;
}

static void make_namespace(void)
{
	AUTO_CLOSE int process = -1;

	CHECK(idm_userns_child_start(&zombie, false) == 0);
	idm_userns_child_await_exit(&zombie);
	process = idm_procfs_open(zombie.pidfd, true, NULL);
	CHECK(process >= 0);
	uid_map = idm_procfs_openat(process, "uid_map", O_RDWR);
	CHECK(uid_map >= 0);
}

static void end_namespace(void)
{
	close(uid_map);
	uid_map = -1;
	idm_userns_child_end(&zombie);
}

static void check_meaning(const struct idm_map *ours)
{
	AUTO_MAP struct idm_map *theirs = empty_map();
	char text[16384];
	size_t n = 0;

	for (ssize_t r; (r = pread(uid_map, text + n, sizeof(text) - 1 - n, (off_t)n)) > 0;)
		n += (size_t)r;
	text[n] = '\0';
	CHECK(idm_map_parse_kernel(theirs, IDM_UID, text, NULL) == 0);
	CHECK(idm_map_equal(ours, theirs));
}

/* The kernel silently truncates such a number. The library refuses it: see the header. */
static bool has_number_over_32_bits(const char *s)
{
	while (*s) {
		char *end = (char *)s + 1;

		if (*s >= '0' && *s <= '9' && strtoull(s, &end, 10) > UINT32_MAX)
			return true;
		s = end;
	}
	return false;
}

/* The kernel counts written entries and bytes. The library counts entries after merging neighbours. */
static bool is_too_much_as_written(const char *text)
{
	size_t lines = 0;

	for (const char *s = text; *s; s++)
		lines += *s == '\n' || !s[1];
	return lines > 340 || strlen(text) > 4095;
}

static void ask_kernel(const char *text, const struct idm_map *map, bool taken)
{
	ssize_t n;

	if (!*text || has_number_over_32_bits(text) || is_too_much_as_written(text))
		return;
	if (uid_map < 0)
		make_namespace();
	n = write(uid_map, text, strlen(text));
	if (n < 0 && errno != EINVAL)
		FAIL("the kernel says %s", strerror(errno));
	if ((n >= 0) != taken)
		FAIL("the kernel %s what the library %s", n >= 0 ? "accepts" : "refuses",
		     taken ? "accepts" : "refuses");
	if (!taken)
		return;
	check_meaning(map);
	end_namespace();
}

/* ---- the target ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = text_copy(data, size);
	AUTO_MAP struct idm_map *map = empty_map();
	struct idm_error err;
	int r = idm_map_parse_kernel(map, IDM_UID, text, &err);

	if (r < 0)
		CHECK_ERROR(r, &err);
	if (r < 0)
		CHECK(!sides_of(map));
	else
		check_map(map);
	if (may_write_maps())
		ask_kernel(text, map, r == 0);
	return 0;
}
