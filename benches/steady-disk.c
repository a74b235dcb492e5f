/* A disk that is always the same: every sync takes one millisecond, whatever is below.
 *
 * Preloaded into both servers of a comparison, over data in memory. Real disks vary by a factor
 * of thirty from minute to minute, and with them the size of a group commit.
 */
#include <time.h>

static int steady(void) {
    struct timespec one_ms = {0, 1000000};
    nanosleep(&one_ms, 0);
    return 0;
}

int fsync(int fd) { (void)fd; return steady(); }
int fdatasync(int fd) { (void)fd; return steady(); }
int msync(void *at, unsigned long length, int flags) {
    (void)at, (void)length, (void)flags;
    return steady();
}
