# The longest pause that each schedule makes: what watches it must wait longer. Hours, days of month and days of week are read as the
# sets of numbers that they are; what has none (L, W, #), or names months or years, counts as a year.

locals {
  watched  = { for name, e in var.schedule_expressions : name => e if name != "maintain" } # which nobody waits for
  cron     = { for name, e in local.watched : name => try(split(" ", regex("^cron\\((.*)\\)$", e)[0]), []) }
  weekdays = { SUN = "1", MON = "2", TUE = "3", WED = "4", THU = "5", FRI = "6", SAT = "7" }

  # Each field as the sorted numbers that it names.
  cron_numbers = { for name, fields in local.cron : name => length(fields) != 6 ? {} : {
    for unit, f in {
      hours    = { text = fields[1], first = 0, count = 24 }
      days     = { text = fields[2], first = 1, count = 31 }
      weekdays = { text = fields[4], first = 1, count = 7 }
      } : unit => {
      first = f.first
      count = f.count
      numbers = try(sort(distinct(flatten([
        for part in split(",", replace(f.text, "?", "*")) : [
          for p in [regex("^(?P<from>[*0-9]+)(?:-(?P<to>[0-9]+))?(?:/(?P<step>[0-9]+))?$", join("-", [for w in split("-", part) : lookup(local.weekdays, w, w)]))] : [
            for n in range(
              p.from == "*" ? f.first : tonumber(p.from),
              1 + (p.to != null ? tonumber(p.to) : p.from == "*" || p.step != null ? f.first + f.count - 1 : tonumber(p.from)),
              p.step == null ? 1 : tonumber(p.step),
            ) : format("%02d", n)
          ]
        ]
      ]))), [])
    }
  } }

  # The longest way from one number to the next, past midnight or the week's end.
  cron_pauses = { for name, fields in local.cron_numbers : name => {
    for unit, f in fields : unit => length(f.numbers) == 0 ? 366 : max([
      for i, n in f.numbers : (i + 1 < length(f.numbers) ? tonumber(f.numbers[i + 1]) : f.count + tonumber(f.numbers[0])) - tonumber(n)
    ]...)
  } }

  longest_pause_hours = { for name, e in local.watched : name => try(
    tonumber(regex("^rate\\(([0-9]+) ", e)[0]) * { minute = 1 / 60, hour = 1, day = 24 }[regex("(minute|hour|day)s?\\)$", e)[0]],
    local.cron[name][3] == "*" && local.cron[name][5] == "*" ? (max(local.cron_pauses[name].days, local.cron_pauses[name].weekdays) - 1) * 24 + local.cron_pauses[name].hours : null,
    8784,
  ) }

  # A start may be late by the flexible window, and a run takes its time.
  least_hours = { for name, pause in local.longest_pause_hours : name => ceil(coalesce(pause, 8784) + var.flexible_window_minutes / 60) + 1 }
}
