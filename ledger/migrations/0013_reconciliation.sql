-- Days and months reconciled with the banks' statements, and the protocols that close them.

SELECT 1;
