-- ARGV: what was spent, as JSON like a reservation.
settle(cjson.decode(ARGV[1]))
return 1
