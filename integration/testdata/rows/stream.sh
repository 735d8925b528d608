# layout: The root: STREAM/
mkdir ORDERS EMPTY
echo one > ORDERS/x
is "$(ls)" "$(printf 'EMPTY\nORDERS')"
refused 'File exists' 'mkdir ORDERS'
refused 'not empty' 'rmdir ORDERS'
rmdir EMPTY
refused 'No such file' 'ls EMPTY'
refused 'Invalid argument' 'mkdir a.b'
refused 'Operation not permitted' 'mv ORDERS BILLS'
reason 'streams can.t be renamed'
refused 'Operation not permitted' 'mkdir ORDERS/sub'
refused 'Operation not permitted' 'echo x > file'
is "$(cat ORDERS/1)" one
rm -r ORDERS
is "$(ls)" ""

# A stream that is made again shows nothing of the one before, and has other inodes.
mkdir ORDERS
echo two > ORDERS/x
was=$(stat -c %i ORDERS ORDERS/1)
rm -r ORDERS
mkdir ORDERS
is "$(ls ORDERS; cat ORDERS/.log)" ""
echo three > ORDERS/x
is "$(cat ORDERS/1 ORDERS/x)" "$(printf 'three\nthree')"
! [ "$was" = "$(stat -c %i ORDERS ORDERS/1)" ] || wrong
