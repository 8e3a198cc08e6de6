// SPDX-License-Identifier: MIT
#include "resident.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

/* ---- the process that has the memory ---- */

void grow_memory(size_t mib)
{
	size_t size = mib << 20;
	char *p;

	if (!size)
		return;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
}

struct order {
	int kind, times;
};

static double obey(const struct order *order, void (*once)(int kind))
{
	double start = now();

	for (int i = 0; i < order->times; i++)
		once(order->kind);
	return (now() - start) / order->times;
}

_Noreturn static void serve(const struct resident *resident, void (*once)(int kind))
{
	struct order order;
	double us = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	grow_memory(resident->mib);
	check(write(resident->answers, &us, sizeof(us)), "answer"); /* ready */
	while (read(resident->orders, &order, sizeof(order)) == sizeof(order)) {
		us = obey(&order, once);
		check(write(resident->answers, &us, sizeof(us)), "answer");
	}
	_exit(0);
}

/* ---- the one that measures ---- */

static double answer(const struct resident *resident)
{
	double us;

	if (read(resident->answers, &us, sizeof(us)) != sizeof(us)) {
		fprintf(stderr, "the process with %zu MiB has ended\n", resident->mib);
		exit(1);
	}
	return us;
}

double resident_ask(const struct resident *resident, int kind, int times)
{
	const struct order order = { kind, times };

	check(write(resident->orders, &order, sizeof(order)), "order");
	return answer(resident);
}

static size_t available_mib(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kib = 0;

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %zu", &kib) != 1)
		;
	if (f)
		fclose(f);
	return kib >> 10;
}

bool lacks_memory(size_t mib)
{
	return available_mib() < mib + mib / 16 + 512;
}

void resident_start(struct resident *resident, void (*once)(int kind))
{
	int orders[2], answers[2];

	resident->absent = lacks_memory(resident->mib);
	if (resident->absent)
		return;
	check(pipe(orders), "pipe");
	check(pipe(answers), "pipe");
	resident->pid = (pid_t)check(fork(), "fork");
	if (resident->pid == 0) {
		close(orders[1]);
		serve(&(struct resident){ .mib = resident->mib,
					  .orders = orders[0],
					  .answers = answers[1] },
		      once);
	}
	close(orders[0]);
	close(answers[1]);
	resident->orders = orders[1];
	resident->answers = answers[0];
	answer(resident);
}

void resident_stop_all(const struct resident *residents, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!residents[i].absent)
			close(residents[i].orders);
	for (size_t i = 0; i < n; i++)
		if (!residents[i].absent)
			waitpid(residents[i].pid, NULL, 0);
}
