"""HTTP: what every voice shares on its way in and out. It knows no voice."""
