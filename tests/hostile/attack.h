/* SPDX-License-Identifier: MIT */
/*
 * The attacker's program. It is static, because it runs in containers that contain nothing else. Its
 * first argument names the attack. It prints "began" first. An attack that could not start thus differs
 * from one that the container held. The test judges success from outside, by the state of the host.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* The test's directory on the host, relative to the host's root. */
#define HOST "mnt/host"

/* Tries to read and to write in the host's directory, from a directory that may lead there. */
void look_from(int dir, const char *how);

/* Prints the content of a file of the host. */
void print_file(int dir, const char *path, const char *how);

/* Opens the directory, and calls look_from(). */
void look_in(const char *directory);

/* Calls `each` for every process that /proc shows, except this one. */
void each_process(void (*each)(pid_t pid));

/* Waits for an inspection from outside. The test kills the process. */
__attribute__((noreturn)) void wait_for_judge(void);

void attack_dotdot(char **args);
void attack_chroot(char **args);
void attack_neighbours(char **args);
void attack_processes(char **args);
void attack_trace(char **args);
void attack_memory(char **args);
void attack_steal_fds(char **args);
void attack_kill(char **args);
void attack_type(char **args);
void attack_take_terminal(char **args);
void attack_keys(char **args);
void attack_remount(char **args);
void attack_uncover(char **args);
void attack_superblock(char **args);
void attack_mount_on(char **args);
void attack_device(char **args);
void attack_make_devices(char **args);
void attack_descriptors(char **args);
void attack_overwrite(char **args);
void attack_programs(char **args);
void attack_userns(char **args);
void attack_cgroup(char **args);
void attack_setuid(char **args);
void attack_masked(char **args);
void attack_whoami(char **args);
void attack_as(char **args);
void attack_flood(char **args);
void attack_wait(char **args);

#endif
