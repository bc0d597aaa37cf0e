// A command-line program as libc makes it: what it does is its first argument. Everything that it calls is plain, blocking
// POSIX.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

// Copies its input, in pieces.
static int copy(void) {
  char buffer[7];
  ssize_t length;
  while ((length = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
    if (write(STDOUT_FILENO, buffer, (size_t)length) != length) return fail("write");
  }
  return length < 0 ? fail("read") : 0;
}

// Asks which of two words comes first, inside of the library's sort.
static int ask(const void *a, const void *b) {
  const char *const *left = a, *const *right = b;
  char answer[16];
  printf("%s or %s?\n", *left, *right);
  fflush(stdout);
  if (fgets(answer, sizeof answer, stdin) == NULL) exit(2);
  return answer[0] == '<' ? -1 : 1;
}

static int sort(char **words, int count) {
  qsort(words, (size_t)count, sizeof *words, ask);
  for (int i = 0; i < count; i++) printf("%s\n", words[i]);
  return 0;
}

static int nap(long milliseconds) {
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  double start = now();
  if (nanosleep(&time, NULL) != 0) return fail("nanosleep");
  printf("%s\n", now() - start >= (double)milliseconds ? "slept" : "too short");
  return 0;
}

// Waits for input by poll, then by select.
static int wait_for_input(int milliseconds) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  int found = poll(&input, 1, milliseconds);
  if (found < 0) return fail("poll");
  printf("poll: %s\n", found == 0 ? "timeout" : "input");
  fd_set set;
  FD_ZERO(&set);
  FD_SET(STDIN_FILENO, &set);
  struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
  found = select(STDIN_FILENO + 1, &set, NULL, NULL, &time);
  if (found < 0) return fail("select");
  printf("select: %s\n", found == 0 ? "timeout" : "input");
  return 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

// Makes, reads, renames, lists and removes files below a directory.
static int files(const char *directory) {
  char line[64];
  if (chdir(directory) != 0) return fail("chdir");
  if (mkdir("made", 0777) != 0) return fail("mkdir");
  FILE *file = fopen("made/one.txt", "w+");
  if (file == NULL) return fail("fopen");
  for (int i = 0; i < 1000; i++) fprintf(file, "line %d\n", i);
  if (fseek(file, -9, SEEK_END) != 0 || fgets(line, sizeof line, file) == NULL) return fail("fseek");
  printf("%s", line);
  if (fclose(file) != 0) return fail("fclose");
  if (rename("made/one.txt", "made/two.txt") != 0) return fail("rename");
  if (symlink("two.txt", "made/link") != 0) return fail("symlink");
  struct stat about;
  if (stat("made/link", &about) != 0) return fail("stat");
  printf("%lld bytes\n", (long long)about.st_size);
  int descriptor = open("made/two.txt", O_WRONLY | O_APPEND);
  if (descriptor < 0 || write(descriptor, "end\n", 4) != 4 || close(descriptor) != 0) return fail("append");
  if (truncate("made/two.txt", 6) != 0) return fail("truncate");
  struct dirent **names;
  int count = scandir("made", &names, NULL, compare_names);
  if (count < 0) return fail("scandir");
  for (int i = 0; i < count; i++) printf("%s ", names[i]->d_name);
  printf("\n");
  if (rmdir("made") == 0 || errno != ENOTEMPTY) return fail("rmdir");
  if (unlink("made/link") != 0) return fail("unlink");
  if (fopen("made/none", "r") != NULL || errno != ENOENT) return fail("fopen");
  if (fopen("../outside", "r") != NULL) return fail("fopen");
  return 0;
}

static int save(const char *name, const char *content) {
  FILE *file = fopen(name, "w");
  if (file == NULL || fprintf(file, "%s\n", content) < 0 || fclose(file) != 0) return fail("save");
  return 0;
}

static void goodbye(void) { printf("goodbye\n"); }

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  const char *with = count > 2 ? words[2] : "";
  if (strcmp(what, "copy") == 0) return copy();
  if (strcmp(what, "sort") == 0) return sort(words + 2, count - 2);
  if (strcmp(what, "sleep") == 0) return nap(atol(with));
  if (strcmp(what, "wait") == 0) return wait_for_input(atoi(with));
  if (strcmp(what, "files") == 0) return files(with);
  if (strcmp(what, "save") == 0) return save(with, count > 3 ? words[3] : "");
  if (strcmp(what, "env") == 0) return puts(getenv(with) == NULL ? "unset" : getenv(with)) < 0;
  if (strcmp(what, "terminal") == 0) return !isatty(STDOUT_FILENO);
  if (strcmp(what, "exit") == 0) {
    atexit(goodbye);
    exit(atoi(with));
  }
  fprintf(stderr, "%s: there is no %s\n", words[0], what);
  return 64;
}
